import { describe, expect, it } from 'vitest';
import type { Decided } from '../../../src/broker/pipeline/context.ts';
import { replyTo } from '../../../src/broker/pipeline/reply.ts';
import { CEL_UUID, decodeResponseMessage, encodeCel, type RoutedReply } from '../../../src/cci/index.ts';
import { fakePosture } from '../../support/fake-policy.ts';
import { replyBytes, routedReply } from '../../support/handmade-bytes.ts';
import {
  Handmade,
  type HandmadeOptions,
  ports,
  type Question,
  rawIsOpen,
  vendor,
} from '../../support/handmade-switch.ts';
import { listed, replying } from './replying.ts';

// What of an answer reaches the caller.

const identify: Question = { named: 'identify', via: 'port:3' };
describe('an answer', () => {
  it('is decoded, cut down to what is the caller’s, and encoded again', async () => {
    const { reply } = replying(ports);
    const result = await reply(routedReply(0, listed(3, 4)));
    expect(result).toStrictEqual({
      ok: true,
      value: {
        requestId: 'r-1',
        class: 'allowlisted',
        returnCode: 0,
        returnCodeName: 'success',
        vendorStatus: 0,
        result: { port_information_list: [expect.objectContaining({ port_id: 3 })] },
        payload: listed(3),
      },
    });
  });

  it('from behind a tunnel tells the codes of all layers', async () => {
    const { reply } = replying(vendorAt('port:3'));
    const routed = routedReply(1, Uint8Array.of(5), 7);
    expect(await reply(routed)).toMatchObject({ value: { returnCode: 7, layers: [0, 7], payload: new Uint8Array(0) } });
    const fine = await reply(routedReply(1, Uint8Array.of(5)));
    expect(fine).toMatchObject({ value: { layers: [0, 0], payload: Uint8Array.of(5), class: 'raw' } });
  });

  it('of raw bytes is bytes as they are', async () => {
    const { reply } = replying({ opcode: 0x5101, payload: Uint8Array.of(1, 3), raw: true, tenant: 'fabric' });
    const result = await reply(routedReply(0, Uint8Array.of(1, 2, 3)));
    expect(result).toMatchObject({ value: { payload: Uint8Array.of(1, 2, 3), class: 'raw' } });
    expect(result.ok && 'result' in result.value).toBe(false);
  });

  it('that is an error carries nothing on', async () => {
    const { reply } = replying(ports);
    const result = await reply(routedReply(0, listed(3, 4), 2));
    expect(result).toMatchObject({
      value: { returnCode: 2, returnCodeName: 'invalid-input', payload: new Uint8Array(0) },
    });
    expect(result.ok && 'result' in result.value).toBe(false);
  });

  it('of which the inside is missing carries nothing on', async () => {
    const { reply } = replying(identify);
    expect(await reply(routedReply(0, Uint8Array.of(1)))).toMatchObject({
      value: { layers: [0], payload: new Uint8Array(0) },
    });
  });

  it('tells the work that goes on, and the status of the vendor', async () => {
    const { reply } = replying(vendor);
    const layer = { returnCode: 1, vendorStatus: 0x1234, background: true };
    expect(await reply({ layers: [layer], payload: Uint8Array.of(1) })).toMatchObject({
      value: {
        returnCode: 1,
        returnCodeName: 'background-command-started',
        vendorStatus: 0x1234,
        background: { operation: 'r-1' },
        payload: Uint8Array.of(1),
      },
    });
    const plain = await reply(routedReply(0));
    expect(plain.ok && 'background' in plain.value).toBe(false);
  });

  it('of nothing is the broker’s own where the list was emptied', async () => {
    const { decided, reply } = replying(ports);
    const emptied = { ...decided.decision, answer: 'empty' } as const;
    expect(await reply(routedReply(0, listed()), emptied)).toMatchObject({
      value: { result: { port_information_list: [] }, payload: listed() },
    });
    const odd = await reply(routedReply(0, Uint8Array.of(1)), emptied);
    expect(odd).toMatchObject({ ok: true, value: { payload: Uint8Array.of(1) } });
    expect(odd.ok && 'result' in odd.value).toBe(false);
  });
});

describe('an answer that cannot be believed', () => {
  it.each([
    ['has no layer', { layers: [], payload: new Uint8Array(0) }, 'no layer answered'],
    ['is too short', routedReply(0, listed(3).slice(1)), /^get-physical-port-state: \S* ?.*\d/],
  ] as readonly (readonly [string, RoutedReply, string | RegExp])[])('%s', async (_what, routed, text) => {
    const result = await replying(ports).reply(routed);
    expect(result).toMatchObject({ ok: false, error: { text: expect.stringMatching(text) as string } });
  });

  it('belongs to no command', async () => {
    const { decided, reply } = replying(ports);
    const command = { ...decided.decision.command, payload: Uint8Array.of(9) };
    expect(await reply(routedReply(0, listed(3)), { ...decided.decision, command })).toEqual({
      ok: false,
      error: { text: 'the command sent does not decode' },
    });
  });
});

describe('who sent bytes', () => {
  const asMessage = (question: Question, options: HandmadeOptions = {}) => {
    const made = new Handmade({ posture: rawIsOpen, ...options });
    const decoded = { ...made.decoded(question), message: { tag: 42, outerOpcode: 0x5300 } };
    const decided = made.decided(question, { decoded });
    return { made, decided };
  };
  const told = async (made: Handmade, decided: Decided, routed: RoutedReply) => {
    const result = await replyTo(made.services, made.request(), decided, decided.decision, routed);
    if (!result.ok) throw new Error(result.error.text);
    const message = decodeResponseMessage(result.value.message ?? new Uint8Array(0));
    if (!message.ok) throw new Error(message.error.message);
    return { value: result.value, message: message.value };
  };

  it('reads bytes, with his tag and the opcode that was outermost, and no fields', async () => {
    const { made, decided } = asMessage(ports);
    const { value, message } = await told(made, decided, routedReply(0, listed(3, 4)));
    expect('result' in value).toBe(false);
    expect(message).toMatchObject({
      category: 'response',
      tag: 42,
      opcode: 0x5300,
      returnCode: 0,
      vendorStatus: 0,
      background: false,
      payload: listed(3),
    });
  });

  it('reads the error of the layer that made it', async () => {
    const { made, decided } = asMessage(ports);
    const layer = { returnCode: 6, vendorStatus: 3, background: false };
    const { message } = await told(made, decided, { layers: [layer], payload: new Uint8Array(0) });
    expect(message).toMatchObject({ returnCode: 6, vendorStatus: 3 });
  });

  it.each([
    ['nobody’s', undefined, 0, false],
    ['another’s', { tenant: 'globex' }, 0, false],
    ['his own', { tenant: 'acme' }, 0, true],
    ['his own that has ended by now', undefined, 1, true],
  ])('sees that work goes on where it is his: %s', async (_what, running, returnCode, background) => {
    const { made, decided } = asMessage(ports);
    made.running = running;
    const layer = { returnCode, vendorStatus: 0, background: true };
    const { message } = await told(made, decided, { layers: [layer], payload: listed(3) });
    expect(message.background).toBe(background);
  });

  it('sees none where none was told', async () => {
    const { made, decided } = asMessage(ports);
    made.running = { tenant: 'acme' };
    const { message } = await told(made, decided, routedReply(0, listed(3)));
    expect(message.background).toBe(false);
  });
});

describe('a limit of one’s own', () => {
  const small: HandmadeOptions = { events: { limit: () => 5 } };

  it('that nothing fits is an error of the innermost layer, and the reply is gone', async () => {
    const { reply } = replying(ports, small);
    expect(await reply(routedReply(0, listed(3)))).toMatchObject({
      ok: true,
      value: { returnCode: 2, payload: new Uint8Array(0) },
    });
    const tunnelled = replying({ ...vendorAt('port:3') }, { events: { limit: () => 5 } });
    expect(await tunnelled.reply(routedReply(1, new Uint8Array(40)))).toMatchObject({
      value: { returnCode: 2, layers: [0, 2], payload: new Uint8Array(0) },
    });
  });

  it('does not touch errors', async () => {
    const { reply } = replying(ports, { events: { limit: () => 0 } });
    expect(await reply(routedReply(0, new Uint8Array(0), 6))).toMatchObject({ value: { returnCode: 6 } });
  });
});

describe('what the caller may run', () => {
  const log: Question = { named: 'get-log', params: { log_identifier: CEL_UUID, offset: 0, length: 8 } };
  const cel = encodeCel([
    { opcode: 1, effects: 0 },
    { opcode: 0x5101, effects: 0 },
  ]);
  const runnable = (asked: unknown[]) => async (principal: unknown) => {
    asked.push(principal);
    return new Set([0x5101]);
  };

  it('is worked out for tenants, and shown as their log', async () => {
    const asked: unknown[] = [];
    const { made, decided, reply } = replying({ ...log, params: { log_identifier: CEL_UUID, offset: 0, length: 4 } });
    Object.assign(made.policy, { runnable: runnable(asked) });
    expect(await reply(routedReply(0, cel))).toMatchObject({
      value: { payload: encodeCel([{ opcode: 0x5101, effects: 0 }]) },
    });
    expect(asked).toEqual([decided.principal]);
  });

  it('is not asked for operators, nor for other commands', async () => {
    const asked: unknown[] = [];
    const operator = replying({ ...log, tenant: 'fabric' });
    Object.assign(operator.made.policy, { runnable: runnable(asked) });
    expect(await operator.reply(routedReply(0, cel))).toMatchObject({ value: { payload: cel } });
    const other = replying(ports);
    Object.assign(other.made.policy, { runnable: runnable(asked) });
    await other.reply(routedReply(0, listed(3)));
    expect(asked).toEqual([]);
  });
});

describe('under confidentiality', () => {
  const identity = replyBytes('identify', {
    pcie_vendor_id: 1,
    pcie_device_id: 2,
    pcie_subsystem_vendor_id: 3,
    pcie_subsystem_id: 4,
    device_serial_number: 0x1234n,
    max_supported_message_size: 12,
    component_type: 'type-3-device',
  });
  it.each([
    ['confidentiality', '0x0000000000000000'],
    ['integrity', '0x0000000000001234'],
    ['none', '0x0000000000001234'],
  ] as const)('operators read other names for what is tenants’: %s', async (level, serial) => {
    const { reply } = replying({ ...identify, tenant: 'fabric' }, { posture: fakePosture({ profile: 'bmc', level }) });
    const result = await reply(routedReply(1, identity));
    if (!result.ok) throw new Error(result.error.text);
    const { device_serial_number: told } = result.value.result as { readonly device_serial_number: string };
    expect(BigInt(told)).toBe(BigInt(serial));
  });
});

function vendorAt(via: string): Question {
  return { ...vendor, via };
}
