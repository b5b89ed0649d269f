import { payloadTarget } from '../support/payload-target.ts';

export const target = payloadTarget('request');
