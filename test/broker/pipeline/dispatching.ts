import type { Decided } from '../../../src/broker/pipeline/context.ts';
import { dispatch } from '../../../src/broker/pipeline/dispatch.ts';
import { Handmade, type HandmadeOptions, type Question } from '../../support/handmade-switch.ts';

/** A command that was decided, and what takes it to the device. */
export function dispatching(question: Question, options: HandmadeOptions = {}, more: Partial<Decided> = {}) {
  const made = new Handmade(options);
  const decided = made.decided(question, more);
  const request = made.request();
  return { made, decided, request, run: () => dispatch(made.services, request, decided) };
}
