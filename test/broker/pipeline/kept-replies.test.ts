import { describe, expect, it } from 'vitest';
import type { Repeat } from '../../../src/broker/pipeline/repeats.ts';
import { replyTo } from '../../../src/broker/pipeline/reply.ts';
import { CEL_UUID, encodeCel } from '../../../src/cci/index.ts';
import type { Decision } from '../../../src/policy/index.ts';
import { replyBytes, routedReply } from '../../support/handmade-bytes.ts';
import { type HandmadeOptions, ports, type Question } from '../../support/handmade-switch.ts';
import { listed, replying } from './replying.ts';

// What was left of a reply, for the next time that the same is read.

describe('the reply of a read that is repeated', () => {
  const bytes = listed(3, 4);
  const repeated = (question: Question = ports, options: HandmadeOptions = {}) => {
    const { made, decided } = replying(question, options);
    const repeat: Repeat = {
      decoded: decided.decoded,
      decision: decided.decision,
      snapshot: made.policy.current,
      shadow: undefined,
    };
    const as = { ...decided, repeat };
    const reply = (payload: Uint8Array, decision: Decision = decided.decision) =>
      replyTo(made.services, made.request(), as, decision, routedReply(decided.decision.command.hops.length, payload));
    return { made, repeat, decided, reply };
  };

  it('is filtered once, and kept whatever becomes of the device’s bytes', async () => {
    const { repeat, reply } = repeated();
    const device = bytes.slice();
    const first = await reply(device);
    expect(repeat.reply?.bytes).toEqual(bytes);
    device.fill(0);
    expect(repeat.reply?.bytes).toEqual(bytes);
    const kept = repeat.reply?.kept;
    const second = await reply(bytes);
    expect(second).toEqual(first);
    expect(repeat.reply?.kept).toBe(kept);
    if (!first.ok || !second.ok) throw new Error('refused');
    expect(second.value.result).toBe(first.value.result);
    expect(second.value.payload).toBe(first.value.payload);
  });

  it('is filtered anew where the bytes are others', async () => {
    const { repeat, reply } = repeated();
    await reply(bytes);
    const kept = repeat.reply?.kept;
    expect(await reply(listed(4, 3))).toMatchObject({ value: { payload: listed(3) } });
    expect(repeat.reply?.kept).not.toBe(kept);
  });

  it.each([
    ['decision', ({ decided, reply }: ReturnType<typeof repeated>) => reply(bytes, { ...decided.decision })],
    [
      'policy',
      ({ made, reply }: ReturnType<typeof repeated>) => {
        made.policy.current = { ...made.policy.current };
        return reply(bytes);
      },
    ],
    [
      'topology',
      ({ made, reply }: ReturnType<typeof repeated>) => {
        made.view.version = 8;
        return reply(bytes);
      },
    ],
    [
      'posture',
      ({ made, reply }: ReturnType<typeof repeated>) => {
        made.posture = { ...made.posture, version: 4 };
        return reply(bytes);
      },
    ],
  ] as const)('is neither used nor kept under another %s', async (_what, change) => {
    const setup = repeated();
    await setup.reply(bytes);
    const kept = setup.repeat.reply?.kept;
    Object.assign(setup.repeat.reply?.kept ?? {}, { payload: Uint8Array.of(9) });
    expect(await change(setup)).toMatchObject({ value: { payload: listed(3) } });
    expect(setup.repeat.reply?.kept).toBe(kept);
  });

  it.each([
    [2048, true],
    [2049, false],
  ])('is kept up to 2,048 bytes: %i', async (length, isKept) => {
    const { repeat, decided, made } = repeated({ opcode: 0xc010, raw: true, tenant: 'fabric' });
    const as = { ...decided, repeat };
    await replyTo(made.services, made.request(), as, decided.decision, routedReply(0, new Uint8Array(length)));
    expect(repeat.reply !== undefined).toBe(isKept);
  });

  it('of errors is not kept', async () => {
    const { made, repeat, decided } = repeated();
    await replyTo(made.services, made.request(), { ...decided, repeat }, decided.decision, routedReply(0, bytes, 2));
    expect(repeat.reply).toBeUndefined();
  });

  it('that tells what the caller may run is not kept', async () => {
    const supported = replyBytes('get-supported-logs', {
      supported_log_entries: [{ log_identifier: CEL_UUID, log_size: 4 }],
    });
    const logs = repeated({ named: 'get-supported-logs' });
    expect((await logs.reply(supported)).ok).toBe(true);
    expect(logs.repeat.reply).toBeUndefined();
    const cel = repeated({ named: 'get-log', params: { log_identifier: CEL_UUID, offset: 0, length: 4 } });
    expect((await cel.reply(encodeCel([{ opcode: 1, effects: 0 }]))).ok).toBe(true);
    expect(cel.repeat.reply).toBeUndefined();
  });
});
