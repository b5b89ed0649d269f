import { describe, expect, it } from 'vitest';
import type { CommandRequest } from '../../../src/broker/core-api.ts';
import { decodedAgain, Repeats, stands } from '../../../src/broker/pipeline/repeats.ts';
import { Shadow } from '../../../src/broker/shadow.ts';
import type { Decision, Principal } from '../../../src/policy/index.ts';
import { exampleSpec, fakeEngine, fakeFabric, fakePrincipal } from '../../support/fake-policy.ts';
import { Handmade, type Question } from '../../support/handmade-switch.ts';

// What was worked out for a read is used again, for the same spelling by the same caller, while what it rests on stands.

const question: Question = { named: 'get-physical-port-state', params: { port_id_list: [3] } };
const spelt = (port: number | string, more: object = {}): CommandRequest => ({
  kind: 'named',
  command: 'get-physical-port-state',
  params: { port_id_list: [port] },
  ...more,
});
const message = (...bytes: number[]): CommandRequest => ({ kind: 'message', bytes: Uint8Array.from(bytes) });

function setup() {
  const made = new Handmade();
  const repeats = new Repeats();
  const { decoded, decision, principal } = made.decided(question);
  const remember = (command: CommandRequest, by: Principal = principal, more: Partial<Decision> = {}) =>
    repeats.remember(made.services, made.runtime, by, command, { decoded, decision: { ...decision, ...more } });
  const find = (command: CommandRequest, by: Principal = principal) =>
    repeats.find(made.services, made.runtime, by, command);
  return { made, repeats, decoded, decision, principal, remember, find };
}

describe('a read', () => {
  it('is found again by the same words of the same caller on the same switch', () => {
    const { made, repeats, principal, decoded, decision, remember, find } = setup();
    expect(find(spelt(3))).toBeUndefined();
    const entry = remember(spelt(3));
    expect(entry).toEqual({ decoded, decision, snapshot: made.policy.current, shadow: undefined });
    expect(find(spelt(3))).toBe(entry);
    expect(find(spelt(4))).toBeUndefined();
    expect(find(spelt(3, { via: 'port:3' }))).toBeUndefined();
    expect(find(spelt(3), fakePrincipal('acme'))).toBeUndefined();
    const other = new Handmade();
    expect(repeats.find(other.services, other.runtime, principal, spelt(3))).toBeUndefined();
    // Others of the same caller stay.
    expect(remember(spelt(4))).toBeDefined();
    expect(find(spelt(3))).toBe(entry);
  });

  it('as a message is found by everything but its tag', () => {
    const { remember, find } = setup();
    const entry = remember(message(0, 7, 1, 2, 0xff));
    expect(find(message(0, 8, 1, 2, 0xff))).toBe(entry);
    for (const other of [
      message(1, 7, 1, 2, 0xff),
      message(0, 7, 2, 2, 0xff),
      message(0, 7, 1, 2),
      message(0, 7, 1, 2, 0xfe),
    ]) {
      expect(find(other)).toBeUndefined();
    }
    const part = new Uint8Array([9, 9, 0, 7, 1, 2, 0xff, 9]).subarray(2, 7);
    expect(find({ kind: 'message', bytes: part })).toBe(entry);
  });

  it.each([
    ['raw', { kind: 'raw', opcode: 1, payload: new Uint8Array(0) } as CommandRequest],
    ['a message of 513 bytes', { kind: 'message', bytes: new Uint8Array(513) } as CommandRequest],
    ['words of more than 512 characters', spelt('x'.repeat(512))],
    ['a number that JSON has no word for', spelt(Number.NaN)],
    ['what no JSON can say', spelt(3, { params: 1n })],
  ])('is not kept as %s', (_what, command) => {
    const { remember, find } = setup();
    expect(remember(command)).toBeUndefined();
    expect(find(command)).toBeUndefined();
  });

  it('is kept up to 512 bytes or characters', () => {
    const { remember, find } = setup();
    const bytes = { kind: 'message', bytes: new Uint8Array(512) } as const;
    expect(remember(bytes)).toBe(find(bytes));
    expect(find(bytes)).toBeDefined();
    const room = 512 - JSON.stringify(spelt('')).length;
    expect(remember(spelt('x'.repeat(room)))).toBeDefined();
    expect(remember(spelt('x'.repeat(room + 1)))).toBeUndefined();
  });

  it.each([
    ['denied', { verdict: 'deny' }],
    ['answered empty', { answer: 'empty' }],
    ['tainting', { taints: [{ letter: 'E', scope: '/switches/sw0', reason: '' }] }],
    ['waiting for a CEL', { needsCel: [] }],
  ] as const)('is not kept where it is %s', (_what, more) => {
    expect(setup().remember(spelt(3), undefined, more)).toBeUndefined();
  });

  it('is not kept where it changes anything, is raw, or is of a component', () => {
    const { decision, remember } = setup();
    const { facts, command } = decision;
    const keeps = (more: Partial<Decision>) => remember(spelt(3), undefined, more);
    expect(keeps({ facts: { ...facts, mutating: true } })).toBeUndefined();
    expect(keeps({ facts: { ...facts, class: 'raw' } })).toBeUndefined();
    expect(keeps({ command: { ...command, hops: [{ kind: 'port', port: 3 }] as never } })).toBeUndefined();
    expect(keeps({ facts: { ...facts, class: 'audited' } })).toBeDefined();
  });

  it('is not kept where a candidate policy says otherwise', () => {
    const { made, repeats, principal, decoded, decision } = setup();
    const candidate = { ...fakeEngine(fakeFabric(exampleSpec), []), id: 'c' };
    const shadow = new Shadow({ inForce: made.engine, candidate, tenants: new Set(['acme']) });
    const input = { principal, submission: decoded.submission, posture: made.posture, topology: made.runtime.topology };
    const remembered = () => repeats.remember(made.services, made.runtime, principal, spelt(3), { decoded, decision });
    expect(remembered()).toBeDefined();
    shadow.observe(input, { kind: 'notRaw' }, decision);
    expect(remembered()).toBeUndefined();
  });
});

describe('what a read rests on', () => {
  const changes: readonly (readonly [string, (made: Handmade) => unknown])[] = [
    ['the posture', (made) => Object.assign(made, { posture: { ...made.posture, version: 4 } })],
    ['the topology', (made) => Object.assign(made.view, { version: 8 })],
    ['the policy', (made) => Object.assign(made.policy, { current: { ...made.policy.current } })],
    ['the candidate policy', (made) => Object.assign(made.policy, { shadow: {} })],
    ['the device', (made) => Object.assign(made.runtime.device, { state: 'quarantined' })],
  ];

  it.each(changes)('stands until it changes: %s', (_what, change) => {
    const { made, remember, find } = setup();
    const entry = remember(spelt(3));
    remember(spelt(4));
    if (entry === undefined) throw new Error('not kept');
    expect(stands(made.services, made.runtime, entry)).toBe(true);
    change(made);
    expect(stands(made.services, made.runtime, entry)).toBe(false);
    expect(find(spelt(3))).toBeUndefined();
    // What was decided on something else is not kept.
    expect(remember(spelt(5))?.snapshot).toBe(
      _what === 'the policy' || _what === 'the candidate policy' ? made.policy.current : undefined,
    );
  });

  it('of a decision by another policy does not stand', () => {
    const { decision, remember } = setup();
    expect(remember(spelt(3), undefined, { basis: { ...decision.basis, snapshot: 'e' } })).toBeUndefined();
  });

  it('that changed once makes all of that caller on that switch forgotten', () => {
    const { made, remember, find } = setup();
    remember(spelt(3));
    remember(spelt(4));
    made.view.version = 8;
    expect(find(spelt(3))).toBeUndefined();
    made.view.version = 7;
    expect(find(spelt(3))).toBeUndefined();
    expect(find(spelt(4))).toBeUndefined();
  });
});

describe('what is kept', () => {
  it('is 256 spellings of one caller on one switch', () => {
    const { remember, find } = setup();
    for (let i = 0; i < 256; i++) remember(spelt(i));
    expect(find(spelt(0))).toBeDefined();
    remember(spelt(256));
    expect(find(spelt(0))).toBeUndefined();
    expect(find(spelt(256))).toBeDefined();
  });

  it('is 4096 spellings of all together', () => {
    const { remember, find } = setup();
    const callers = Array.from({ length: 41 }, () => fakePrincipal('acme'));
    for (const [i, caller] of callers.entries()) {
      for (let port = 0; port < (i === 40 ? 95 : 100); port++) remember(spelt(port), caller);
    }
    const [first, last] = [callers[0], callers[40]] as const;
    // The same spelling again takes no more room.
    remember(spelt(0), last);
    remember(spelt(95), last);
    expect(find(spelt(0), first)).toBeDefined();
    remember(spelt(96), last);
    expect(find(spelt(0), first)).toBeUndefined();
    expect(find(spelt(96), last)).toBeDefined();
  });

  it('gives its room back when it is forgotten', () => {
    const { made, remember, find } = setup();
    const stays = fakePrincipal('acme');
    remember(spelt(1), stays);
    for (let round = 0; round < 50; round++) {
      const caller = fakePrincipal('acme');
      for (let port = 0; port < 100; port++) remember(spelt(port), caller);
      made.view.version = 8;
      find(spelt(0), caller);
      made.view.version = 7;
    }
    expect(find(spelt(1), stays)).toBeDefined();
    for (let port = 0; port < 5000; port++) remember(spelt(1000 + port));
    expect(find(spelt(1), stays)).toBeDefined();
  });

  it('goes with the policy', () => {
    const { made, repeats, principal, remember, find } = setup();
    const before = made.policy.current;
    const entry = remember(spelt(3));
    made.policy.current = { ...before };
    const { decoded, decision } = made.decided(question);
    repeats.remember(made.services, made.runtime, fakePrincipal('globex'), spelt(4), { decoded, decision });
    made.policy.current = before;
    expect(entry).toBeDefined();
    expect(find(spelt(3), principal)).toBeUndefined();
  });
});

describe('the decoded form of a repeat', () => {
  it('has the tag of the message that asks', () => {
    const { decoded } = setup();
    const known = (tag: number | undefined) =>
      ({ decoded: { ...decoded, message: tag === undefined ? undefined : { tag, outerOpcode: 5 } } }) as never;
    expect(decodedAgain(known(1), message(0, 9))).toEqual({ ...decoded, message: { tag: 9, outerOpcode: 5 } });
    expect(decodedAgain(known(1), message(0)).message).toEqual({ tag: 0, outerOpcode: 5 });
    expect(decodedAgain(known(undefined), message(0, 9)).message).toBeUndefined();
    expect(decodedAgain(known(1), spelt(3)).message).toEqual({ tag: 1, outerOpcode: 5 });
  });
});
