import { describe, expect, it } from 'vitest';
import type { Dispatched } from '../../../src/broker/pipeline/dispatch.ts';
import { prepare } from '../../../src/broker/pipeline/prepare.ts';
import { replied, replyBytes } from '../../support/handmade-bytes.ts';
import { Handmade, type HandmadeOptions, type Question, rawIsOpen } from '../../support/handmade-switch.ts';
import { ends } from './ends.ts';

// A reply that tells how many LDs a device has is remembered.

async function prepared(question: Question, options: HandmadeOptions = {}) {
  const made = new Handmade(options);
  const decided = made.decided(question);
  const result = await prepare(made.services, decided);
  if (!result.ok) throw new Error(result.refusal.detail);
  const end = (dispatched: Dispatched | undefined) => result.prepared.end(dispatched);
  return { made, decided, end };
}

describe('how many LDs a device tells of', () => {
  const info: Question = { named: 'get-ld-info', via: 'port:5', tenant: 'fabric' };
  const allocations: Question = {
    named: 'get-ld-allocations',
    params: { start_ld_id: 0, ld_allocation_list_limit: 1 },
    via: 'port:5',
    tenant: 'fabric',
  };
  const hops = [{ kind: 'port', port: 5 }] as never;
  const ldInfo = replyBytes('get-ld-info', {
    memory_size: 1n,
    ld_count: 6,
    qos_telemetry_capability: { egress_port_congestion: false, temporary_throughput_reduction: false },
  });
  const ldList = replyBytes('get-ld-allocations', {
    number_of_lds: 7,
    memory_granularity: '256-mib',
    start_ld_id: 0,
    ld_allocation_list: [],
  });
  const answered = (payload: Uint8Array, code = 0): Dispatched => ({
    ...ends.done,
    reply: replied({ hops }, payload, code),
  });

  it.each([
    ['get-ld-info', info, ldInfo, 6],
    ['get-ld-allocations', allocations, ldList, 7],
  ])('is noted from %s', async (_name, question, payload, count) => {
    const { made, end } = await prepared(question);
    expect(made.details('expect')).toEqual([[[]]]);
    await end(answered(payload));
    expect(made.details('noteLdCount')).toEqual([[5, count]]);
  });

  const oneLayer = { ...ends.done, reply: replied({ hops: [] }, ldInfo) };
  const outerError = answered(ldInfo);
  it.each([
    ['an error', answered(ldInfo, 2)],
    [
      'an error on the way',
      {
        ...outerError,
        reply: {
          kind: 'reply',
          reply: {
            payload: ldInfo,
            layers: [2, 0].map((returnCode) => ({ returnCode, vendorStatus: 0, background: false })),
          },
        },
      },
    ],
    ['a tunnel that did not answer', oneLayer],
    ['bytes that do not fit', answered(ldInfo.slice(1))],
    ['nothing', ends.lost],
    ['nothing believable', ends.malformed],
    ['a refusal', ends.refused],
    ['a defect', ends.defect],
  ] as readonly (readonly [string, Dispatched | undefined])[])('is not noted from %s', async (_what, dispatched) => {
    const { made, end } = await prepared(info);
    await end(dispatched);
    expect(made.times('noteLdCount')).toBe(0);
  });

  it('is not noted of raw commands, deeper tunnels, other commands or no row', async () => {
    const raw = await prepared({ ...info, raw: true }, { posture: rawIsOpen });
    await raw.end(answered(ldInfo));
    expect(raw.made.times('noteLdCount')).toBe(0);
    const other = await prepared({ named: 'identify', via: 'port:5', tenant: 'fabric' });
    await other.end(answered(ldInfo));
    expect(other.made.times('noteLdCount')).toBe(0);
    const { made, decided } = await prepared(info);
    const deeper = {
      ...decided.decision,
      command: { ...decided.decision.command, hops: [...hops, { kind: 'ld', ld: 1 }] },
    };
    const onSwitch = { ...decided.decision, command: { ...decided.decision.command, hops: [] } };
    for (const decision of [deeper, onSwitch]) {
      const result = await prepare(made.services, { ...decided, decision: decision as never });
      if (result.ok) await result.prepared.end(answered(ldInfo));
    }
    const commands = { ...decided.decoded.commands, rowByOpcode: () => undefined } as never;
    const result = await prepare(made.services, { ...decided, decoded: { ...decided.decoded, commands } });
    if (result.ok) await result.prepared.end(answered(ldInfo));
    expect(made.times('noteLdCount')).toBe(0);
  });
});
