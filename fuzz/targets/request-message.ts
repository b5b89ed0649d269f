import { messageTarget } from '../support/message-target.ts';

export const target = messageTarget('request');
