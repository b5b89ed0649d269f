import type { Decided } from '../../../src/broker/pipeline/context.ts';
import { replyTo } from '../../../src/broker/pipeline/reply.ts';
import type { RoutedReply } from '../../../src/cci/index.ts';
import type { Decision } from '../../../src/policy/index.ts';
import { Handmade, type HandmadeOptions, type Question, rawIsOpen } from '../../support/handmade-switch.ts';

/** As the device tells ports: 16 bytes each behind a header of 4. */
export const listed = (...ids: readonly number[]) => {
  const bytes = new Uint8Array(4 + 16 * ids.length);
  bytes[0] = ids.length;
  for (const [i, id] of ids.entries()) bytes[4 + 16 * i] = id;
  return bytes;
};

/** A command that was decided, and what makes an answer of its reply. */
export function replying(question: Question, options: HandmadeOptions = {}, more: Partial<Decided> = {}) {
  const made = new Handmade({ posture: rawIsOpen, ...options });
  const decided = made.decided(question, more);
  const reply = (routed: RoutedReply, decision: Decision = decided.decision, as: Decided = decided) =>
    replyTo(made.services, made.request(), as, decision, routed);
  return { made, decided, reply };
}
