import { routeTarget } from '../support/route-target.ts';

export const target = routeTarget('spec');
