import { describe, expect, it } from 'vitest';
import type { Decided, Refusal } from '../../../src/broker/pipeline/context.ts';
import {
  consider,
  decide,
  decideRepeat,
  found,
  look,
  newTaints,
  refusalOf,
} from '../../../src/broker/pipeline/decide.ts';
import { CEL_UUID } from '../../../src/cci/index.ts';
import type { Decision } from '../../../src/policy/index.ts';
import {
  Handmade,
  type HandmadeOptions,
  ports,
  type Question,
  rawIsOpen,
  vendor,
} from '../../support/handmade-switch.ts';

const identify: Question = { named: 'identify', via: 'port:3' };
const away = { code: 'EIO', detail: 'the command was not sent: the switch is not available', returnCode: 4 };
const notOffered = {
  code: 'ENOTTY',
  detail: 'this command is not offered to tenants: its reply cannot be cut down to what is yours',
  returnCode: 3,
};

function observed() {
  const seen: unknown[][] = [];
  return { seen, observe: (...details: unknown[]) => void seen.push(details) };
}

function considered(made: Handmade, question: Question) {
  const { principal, decoded } = made.decided(question);
  return consider(made.services, made.runtime, principal, decoded);
}

describe('a command whose CEL nobody has read', () => {
  const unread = (readCel: (hops: unknown) => Promise<object>, more: HandmadeOptions = {}) => {
    const cels: { [path: string]: ReadonlyMap<number, number> | 'unread' } = { '3': 'unread' };
    let reads = 0;
    const view = {
      readCel: async (hops: unknown) => {
        reads++;
        return readCel(hops);
      },
    };
    const made = new Handmade({ topology: { cels }, view, ...more });
    return { made, cels, reads: () => reads };
  };

  it('is decided about once it is read', async () => {
    const { made, cels, reads } = unread(async () => {
      cels['3'] = new Map([[1, 0]]);
      return { ok: true };
    });
    const { decision, refusal } = await considered(made, identify);
    expect(refusal).toBeUndefined();
    expect(decision.needsCel).toBeUndefined();
    expect(reads()).toBe(1);
  });

  it('is looked at four times at most', async () => {
    const { made, reads } = unread(async () => ({ ok: true }));
    expect((await considered(made, identify)).decision.needsCel).toEqual([{ kind: 'port', port: 3 }]);
    expect(reads()).toBe(3);
  });

  it('is not offered where the component does not tell', async () => {
    const { made, reads } = unread(async () => ({ ok: false, text: 'no' }));
    expect((await considered(made, identify)).refusal).toMatchObject({ code: 'ENOTTY' });
    expect(reads()).toBe(1);
  });

  it('may be offered, where it is the switch that is away', async () => {
    const { made } = unread(async () => ({ ok: false, text: 'no' }), { device: { state: 'quarantined' } });
    expect((await considered(made, identify)).refusal).toStrictEqual(away);
    const ofSwitch = new Handmade({ topology: { cels: { '': 'unread' } } });
    expect((await considered(ofSwitch, ports)).refusal).toStrictEqual(away);
  });

  it('is refused for anything else all the same', async () => {
    const { made } = unread(async () => ({ ok: false, text: 'no' }), { device: { state: 'quarantined' } });
    const { decide: decided } = made.policy.current;
    const outward = { errno: 'EPERM', returnCode: 2, text: 'no' } as const;
    made.policy.current = {
      ...made.policy.current,
      decide: (...input) => ({ ...decided(...input), verdict: 'deny', outward, disclosed: false }),
    };
    expect((await considered(made, identify)).refusal).toMatchObject({ code: 'EPERM', detail: 'no' });
    const known = new Handmade({ topology: { cels: { '3': new Map() } }, device: { state: 'quarantined' } });
    expect((await considered(known, identify)).refusal).toMatchObject({ code: 'ENOTTY' });
  });
});

describe('a decision', () => {
  it('that allows is handed on with what it is about', async () => {
    const made = new Handmade();
    const { principal, decoded, runtime, decision } = made.decided(ports);
    const result = await decide(made.services, runtime, principal, decoded, made.request());
    expect(result).toEqual({ ok: true, value: { principal, runtime, decoded, decision } });
    expect(made.done).toEqual([]);
  });

  it('that allows leaves what is to be raised for when its turn comes', async () => {
    const made = new Handmade();
    const { decide: decided } = made.policy.current;
    const taints = [{ letter: 'E', scope: '/switches/sw0', reason: '' }] as const;
    made.policy.current = { ...made.policy.current, decide: (...input) => ({ ...decided(...input), taints }) };
    const { principal, decoded, runtime } = made.decided(ports);
    expect((await decide(made.services, runtime, principal, decoded, made.request())).ok).toBe(true);
    expect(made.times('taint')).toBe(0);
  });

  it('that denies is handed on with the refusal', async () => {
    const made = new Handmade({ grants: [] });
    const { principal, decoded, runtime, decision } = made.decided(ports);
    const result = await decide(made.services, runtime, principal, decoded, made.request());
    expect(result).toMatchObject({ ok: false, error: { refusal: { code: 'EPERM' }, decision } });
  });

  it('about raw bytes taints when the gate lets them pass, and before anything else is asked', async () => {
    const made = new Handmade({ posture: rawIsOpen, grants: [] });
    const { principal, decoded, runtime } = made.decided(vendor);
    const result = await decide(made.services, runtime, principal, decoded, made.request());
    expect(result.ok).toBe(false);
    expect(made.details('taint')).toEqual([
      [
        'R',
        {
          by: principal.name,
          record: 'r-1',
          scope: '/switches/sw0',
          reason: 'raw command opcode:0xc010 passed the gate',
        },
      ],
      ['V', expect.objectContaining({ scope: '/switches/sw0' })],
    ]);
  });

  it('about raw bytes is not taken where that cannot be written down', async () => {
    const made = new Handmade({ posture: rawIsOpen });
    made.taintFails = new Error('read-only');
    const { principal, decoded, runtime } = made.decided(vendor);
    await expect(decide(made.services, runtime, principal, decoded, made.request())).rejects.toThrow('read-only');
  });

  it('that denies leaves what it found in the component, and nothing else', async () => {
    // The component says that a read changes things: E, and the command is raw then.
    const cels = { '3': new Map([[1, 0x10]]) };
    const made = new Handmade({ topology: { cels } });
    const { principal, decoded, runtime } = made.decided(identify);
    const result = await decide(made.services, runtime, principal, decoded, made.request());
    expect(result.ok).toBe(false);
    expect(made.details('taint').map(([letter]) => letter)).toEqual(['E']);
  });

  it('is shown to whoever looks beside it', () => {
    const [crosscheck, shadow] = [observed(), observed()];
    const made = new Handmade({ services: { crosscheck } as never });
    made.policy.shadow = shadow;
    const { principal, decoded, runtime } = made.decided(ports);
    const decision = look(made.services, runtime, principal, decoded);
    expect(crosscheck.seen).toEqual([[principal, decision, made.posture]]);
    expect(shadow.seen).toEqual([
      [expect.objectContaining({ principal, posture: made.posture }), { kind: 'notRaw' }, decision],
    ]);
  });

  it('that is taken again as it was is shown to the crosscheck', () => {
    const crosscheck = observed();
    const made = new Handmade({ services: { crosscheck } as never });
    const { principal, decoded, runtime, decision } = made.decided(ports);
    const repeat = { decision } as never;
    expect(decideRepeat(made.services, runtime, principal, decoded, repeat)).toEqual({
      principal,
      runtime,
      decoded,
      decision,
    });
    expect(crosscheck.seen).toEqual([[principal, decision, made.posture]]);
    const alone = new Handmade();
    expect(decideRepeat(alone.services, runtime, principal, decoded, repeat).decision).toBe(decision);
  });
});

describe('taints', () => {
  const taint = (letter: string, scope = '/switches/sw0') => ({ letter, scope, reason: 'x' }) as Decision['taints'][0];

  it('that tell of the component are those that stay', () => {
    expect(found({ taints: [taint('R'), taint('E'), taint('V')] } as never)).toEqual([taint('E')]);
  });

  it('are raised where the register does not show them for that subtree', () => {
    const made = new Handmade();
    const counts = [{ letter: 'E', scope: '/switches/sw0', count: 3 }];
    made.posture = { ...made.posture, taint: { ...made.posture.taint, counts: counts as never } };
    const others = [taint('R'), taint('E', '/switches/sw0/ports/3')];
    expect(newTaints(made.runtime, [taint('E'), ...others])).toEqual(others);
    expect(newTaints(made.runtime, [])).toEqual([]);
    const { counts: _none, ...without } = { counts, ...made.posture.taint };
    made.posture = { ...made.posture, taint: without as never };
    expect(newTaints(new Handmade().runtime, [taint('E')])).toEqual([taint('E')]);
  });
});

describe('what stands against a command, for its caller', () => {
  const against = (made: Handmade, decided: Decided, more: Partial<Decision> = {}): Refusal | undefined =>
    refusalOf(made.services, made.runtime, decided.principal, decided.decoded, { ...decided.decision, ...more });

  it('is what leaves the broker, with reasons where they may be shown', () => {
    const made = new Handmade();
    const decided = made.decided(ports);
    const reasons = [
      { step: 'scope', rule: 'S', errno: 'EPERM', text: 'no', returnCode: 7 },
      { step: 'grant', rule: 'grant', errno: 'EPERM', text: 'none', source: 'a.csv:1' },
    ] as const;
    const outward = { errno: 'EBUSY', returnCode: 6, text: 'in use' } as const;
    const told = { code: 'EBUSY', detail: 'in use', returnCode: 6 };
    expect(against(made, decided, { verdict: 'deny', outward, reasons, disclosed: false })).toStrictEqual(told);
    expect(against(made, decided, { verdict: 'deny', outward, reasons, disclosed: true })).toStrictEqual({
      ...told,
      reasons: [
        { step: 'scope', rule: 'S', errno: 'EPERM', text: 'no' },
        { step: 'grant', rule: 'grant', errno: 'EPERM', text: 'none', source: 'a.csv:1' },
      ],
    });
  });

  it('is a plain no where nothing is said', () => {
    const made = new Handmade();
    const { outward: _none, ...decision } = made.decided(ports).decision;
    const denied = { ...decision, verdict: 'deny', disclosed: false } as const;
    const { principal, decoded } = made.decided(ports);
    expect(refusalOf(made.services, made.runtime, principal, decoded, denied)).toStrictEqual({
      code: 'EPERM',
      detail: 'not permitted',
      returnCode: 2,
    });
  });

  it('is that its bytes mean something else by now', () => {
    const made = new Handmade();
    const decided = made.decided(ports);
    const { commands } = made.policy.current;
    const changedTo = (rowByOpcode: typeof commands.rowByOpcode) => {
      made.policy.current = { ...made.policy.current, commands: { ...commands, rowByOpcode } as never };
    };
    changedTo((opcode) => commands.rowByOpcode(opcode));
    expect(against(made, decided)).toBeUndefined();
    changedTo(() => undefined);
    expect(against(made, decided)).toStrictEqual({
      code: 'EAGAIN',
      detail: 'what this was about has changed while it waited: ask again',
      returnCode: 5,
      retryAfterMs: 0,
    });
  });

  it.each([
    ['what can be cut', ports, undefined],
    ['what cannot be cut, of a part', { named: 'get-ld-info', via: 'port:5' }, undefined],
    ['what is refused for all', { named: 'get-health-info', via: 'port:3' }, undefined],
    ['the CEL of a shared component', log('port:5', CEL_UUID), undefined],
    ['another log of a shared component', log('port:5'), notOffered],
    ['another log of his own', log('port:3'), undefined],
    ['the same for operators', { ...log('port:5'), tenant: 'fabric' }, undefined],
    ['what the broker makes up', { named: 'get-event-records', params: { event_log: 'warning' } }, undefined],
    [
      'the same of a shared component',
      { named: 'get-event-records', params: { event_log: 'warning' }, via: 'port:5' },
      notOffered,
    ],
    ['typed bytes of a shared component', { named: 'identify', via: 'port:5' }, undefined],
    ['the same gone raw', { opcode: 1, raw: true, via: 'port:5' }, notOffered],
    ['raw bytes for his own', { opcode: 0xc010, raw: true, via: 'port:3' }, undefined],
    ['raw bytes for a shared one', { opcode: 0xc010, raw: true, via: 'port:5' }, notOffered],
    ['raw bytes for the switch', { opcode: 0xc010, raw: true }, notOffered],
    ['raw bytes for the switch, of an operator', vendor, undefined],
    ['typed bytes that went raw, of a shared one', { ...log('port:5'), raw: true }, notOffered],
  ] as readonly (readonly [string, Question, object | undefined])[])(
    'is whether a reply can be made fit: %s',
    (_what, question, refusal) => {
      const made = new Handmade({ posture: rawIsOpen });
      expect(against(made, made.decided(question), { verdict: 'allow' })).toEqual(refusal);
    },
  );

  it('is nothing for a tenant who owns the whole switch but its own CCI', () => {
    const spec = { ports: { 3: { owner: 'acme' } }, vcss: {} };
    const made = new Handmade({ spec, posture: rawIsOpen });
    const decided = made.decided({ opcode: 0xc010, raw: true });
    expect(against(made, decided, { verdict: 'allow' })).toEqual(notOffered);
  });
});

function log(via: string, log_identifier = '5e1819d9-11a9-400c-811f-d60719403d86'): Question {
  const params = { log_identifier, offset: 0, length: 4 };
  return { named: 'get-log', params, via };
}
