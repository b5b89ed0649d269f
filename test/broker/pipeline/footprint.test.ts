import { expect, it } from 'vitest';
import { dispatch } from '../../../src/broker/pipeline/dispatch.ts';
import { everything } from '../../../src/broker/schedule/index.ts';
import type { CommandFacts } from '../../../src/policy/index.ts';
import {
  bind,
  Handmade,
  type HandmadeOptions,
  ports,
  type Question,
  rawIsOpen,
} from '../../support/handmade-switch.ts';

// What must keep its order with a command: what it touches, or everything.

const touched = (changes: boolean) => ({ kind: 'resources', changes, paths: ['/switches/sw0/ports/3'] });

it.each([
  ['a read keeps it with what it reads', ports, {}, touched(false)],
  [
    'a change of what is his with what it touches',
    { named: 'set-lsa', params: { offset: 0, data: '00' }, via: 'port:3' },
    {},
    touched(true),
  ],
  ['bindings with everything', bind, {}, everything],
  ['raw commands with everything', { opcode: 0xc010, raw: true, tenant: 'fabric' }, { posture: rawIsOpen }, everything],
  [
    'what reaches others with everything',
    { named: 'set-timestamp', params: { timestamp: 1 }, tenant: 'fabric', via: 'port:5' },
    {},
    everything,
  ],
] as readonly (readonly [string, Question, HandmadeOptions, object])[])(
  '%s',
  async (_what, question, options, footprint) => {
    const made = new Handmade(options);
    await dispatch(made.services, made.request(), made.decided(question));
    expect(made.asker?.footprint?.()).toEqual(footprint);
    // Worked out once, and only when asked for.
    expect(made.asker?.footprint?.()).toBe(made.asker?.footprint?.());
  },
);

const change = { class: 'audited', mutating: true, reach: 'own' } as const;
const some = touched(true);
it.each([
  [0x50ff, change, some],
  [0x5100, change, everything],
  [0x53ff, change, everything],
  [0x5400, change, some],
  [0xbfff, change, some],
  [0xc000, change, everything],
  [0x0001, { ...change, reach: 'query' }, some],
  [0x0001, { ...change, reach: 'cross-tenant' }, everything],
  [0x0001, { ...change, reach: 'switch' }, everything],
  [0x0001, { ...change, reach: 'opaque' }, everything],
  [0x0001, { class: 'raw', mutating: true, reach: 'own' }, everything],
  [0x0001, { class: 'raw', mutating: false, reach: 'own' }, everything],
  [0x5100, { class: 'allowlisted', mutating: false, reach: 'query' }, touched(false)],
  [0x5100, { class: 'audited', mutating: false, reach: 'switch' }, touched(false)],
] as readonly (readonly [number, Partial<CommandFacts>, object])[])(
  'opcode %i, %j',
  async (opcode, facts, footprint) => {
    const made = new Handmade({ posture: rawIsOpen });
    const { decision, ...decided } = made.decided(ports);
    const altered = { ...decision, facts: { ...decision.facts, ...facts }, command: { ...decision.command, opcode } };
    const decoded = { ...decided.decoded, asked: undefined };
    await dispatch(made.services, made.request(), { ...decided, decoded, decision: altered });
    expect(made.asker?.footprint?.()).toEqual(footprint);
  },
);
