import { describe, expect, it } from 'vitest';
import type { DeviceReply } from '../../../src/broker/device.ts';
import {
  componentScope,
  dispatch,
  mayRunOn,
  needsIntent,
  raiseMalformed,
} from '../../../src/broker/pipeline/dispatch.ts';
import { replied } from '../../support/handmade-bytes.ts';
import {
  bind,
  Handmade,
  type HandmadeOptions,
  ports,
  type Question,
  rawIsOpen,
  vendor,
} from '../../support/handmade-switch.ts';

// Before the next command's turn: what an answer has to lead to.

const unbind = (option: string): Question => ({
  named: 'unbind-vppb',
  params: { vcs_id: 0, vppb_id: 2, option },
});
const identify: Question = { named: 'identify', via: 'port:3' };
const malformed: DeviceReply = { kind: 'malformed', text: 'one byte short' };
const lost = (outcome: 'unknown' | 'not-sent'): DeviceReply => ({
  kind: 'failed',
  failure: { outcome, errno: 'EIO', text: 'lost' },
});

async function settled(question: Question, answer: DeviceReply, options: HandmadeOptions = {}) {
  const made = new Handmade({ posture: rawIsOpen, ...options });
  const decided = made.decided(question);
  expect(decided.decision.verdict).toBe('allow');
  made.answer = () => {
    made.done.length = 0;
    return answer;
  };
  await dispatch(made.services, made.request(), decided);
  return { made, decided };
}

const refusedInside: DeviceReply = {
  kind: 'reply',
  reply: {
    layers: [0, 2].map((returnCode) => ({ returnCode, vendorStatus: 0, background: false })),
    payload: new Uint8Array(0),
  },
};

const names = (made: Handmade) => made.done.map(([what]) => what);

describe('after an answer', () => {
  it.each([
    ['a read leads to nothing', ports, replied({ hops: [] }), ['saved']],
    ['a change may have made events, and moved the fabric', bind, replied({ hops: [] }), ['wake', 'read', 'saved']],
    ['a change that was refused moved nothing', bind, replied({ hops: [] }, undefined, 2), ['wake', 'saved']],
    ['nor did one that was refused further in', bind, refusedInside, ['wake', 'saved']],
    [
      'raw commands may have moved anything, whatever they answer',
      vendor,
      replied({ hops: [] }, undefined, 2),
      ['wake', 'read', 'saved'],
    ],
    ['of a read that was malformed its component is tainted', ports, malformed, ['taint', 'saved']],
    ['of a change that was malformed nobody knows what it did', bind, malformed, ['taint', 'wake', 'read', 'saved']],
    [
      'a change behind a port moves no binding',
      { named: 'set-lsa', params: { offset: 0, data: '00' }, via: 'port:3' },
      replied({ hops: [{ kind: 'port', port: 3 }] as never }),
      ['wake', 'saved'],
    ],
    ['a command that was not sent leads to nothing', bind, lost('not-sent'), ['saved']],
    ['a read that was lost makes the fabric unknown', ports, lost('unknown'), ['forget', 'saved']],
    ['of work that was lost its owner is remembered', bind, lost('unknown'), ['forget', 'suspect', 'saved']],
  ] as readonly (readonly [string, Question, DeviceReply, readonly string[]])[])(
    '%s',
    async (_what, question, answer, done) => {
      const { made } = await settled(question, answer);
      expect(names(made)).toEqual(done);
    },
  );

  it('the fabric is read with the turn of the command, and forgotten where that fails', async () => {
    const asked: unknown[] = [];
    const read = async (send: unknown) => {
      asked.push(send);
      throw new Error('away');
    };
    const { made } = await settled(bind, replied({ hops: [] }), { view: { read } });
    expect(asked).toEqual([expect.any(Function)]);
    expect(names(made)).toEqual(['wake', 'forget', 'saved']);
  });

  it('work that goes on has its owner', async () => {
    const { made, decided } = await settled(bind, replied({ hops: [] }, undefined, 1));
    expect(made.details('start')).toEqual([
      [
        {
          id: 'r-1',
          tenant: 'acme',
          principal: decided.principal.name,
          command: 'bind-vppb',
          opcode: 0x5201,
          startedAtMs: 1_000_000,
        },
      ],
    ]);
    expect(names(made)).toEqual(['start', 'wake', 'read', 'saved']);
  });

  it.each([
    ['wait-for-link-down', true],
    ['managed-hot-remove', true],
    ['surprise-hot-remove', undefined],
  ])('an unbind by %s waits for its host: %s', async (option, waitsForHost) => {
    const bound = { vcss: { 0: { usp: 0, vppbs: [0, 1, 2, 3].map(() => ({ kind: 'port', port: 3 }) as const) } } };
    const { made } = await settled(unbind(option), replied({ hops: [] }, undefined, 1), { topology: bound });
    const [[work] = []] = made.details('start');
    expect(work).toMatchObject({ command: 'unbind-vppb' });
    expect(Reflect.get(Object(work), 'waitsForHost')).toBe(waitsForHost);
  });

  it('work behind a tunnel is that of the component', async () => {
    const hops = [{ kind: 'port', port: 3 }] as never;
    const { made } = await settled(identify, replied({ hops }, undefined, 1));
    expect(made.details('start')[0]?.[0]).toMatchObject({ command: 'identify', hops });
  });
});

describe('a malformed reply', () => {
  it('taints its component M in the name of who asked, with the reason', async () => {
    const { made, decided } = await settled(identify, malformed);
    expect(made.details('taint')).toEqual([
      [
        'M',
        {
          by: decided.principal.name,
          record: 'r-1',
          scope: '/switches/sw0/ports/3',
          reason: 'malformed reply: one byte short',
        },
      ],
    ]);
  });

  it('of the switch itself taints the switch', () => {
    const made = new Handmade();
    expect(componentScope(made.runtime, made.decided(ports).decision)).toBe('/switches/sw0');
    expect(componentScope(made.runtime, made.decided(identify).decision)).toBe('/switches/sw0/ports/3');
  });

  it('is in the log where the taint cannot be written down, and nothing is thrown', async () => {
    const made = new Handmade();
    const decided = made.decided(ports);
    made.taintFails = new Error('read-only');
    await raiseMalformed(made.services, made.request(), decided, decided.decision, 'short');
    expect(made.done.at(-1)).toEqual([
      'log error',
      { requestId: 'r-1', err: made.taintFails },
      'a taint could not be written down',
    ]);
  });
});

describe('what is known of a command before it is sent', () => {
  const made = new Handmade({ posture: rawIsOpen });
  it.each([
    ['a read', ports, false, false],
    ['a binding', bind, true, true],
    ['a raw command', vendor, true, true],
    ['a raw read', { opcode: 0x5101, payload: Uint8Array.of(1, 3), raw: true, tenant: 'fabric' }, true, true],
    ['a change that ends at once', { named: 'request-abort-background-operation' }, true, false],
  ] as readonly (readonly [string, Question, boolean, boolean])[])(
    '%s: intent %s, may run on %s',
    (_what, question, intent, runsOn) => {
      const decided = made.decided(question);
      expect(needsIntent(decided.decision)).toBe(intent);
      expect(mayRunOn(decided, decided.decision)).toBe(runsOn);
    },
  );

  it('what nobody has a row for does not run on, unless it is raw', () => {
    const decided = made.decided(vendor);
    const { facts } = decided.decision;
    expect(mayRunOn(decided, { ...decided.decision, facts: { ...facts, class: 'audited' } })).toBe(false);
  });
});
