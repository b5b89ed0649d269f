import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { catalogue, type RoutedCommand } from '../../../src/cci/index.ts';
import {
  createSnapshot,
  type DecisionInput,
  FABRIC_TENANT,
  type RawGate,
  type Submission,
} from '../../../src/policy/index.ts';
import {
  exampleMandatory,
  exampleSpec,
  exampleTopology,
  fakeEngine,
  fakeFabric,
  fakePosture,
  fakePrincipal,
  fakeTopology,
} from '../../support/fake-policy.ts';

const CASES = 100_000;
const snapshot = createSnapshot(fakeEngine(fakeFabric(exampleSpec), undefined, exampleMandatory), {
  discloseReasons: 'own',
});
const topology = fakeTopology(exampleTopology);
const postures = [
  fakePosture(),
  fakePosture({ rawCommands: 'taints-this-switch', profile: 'bmc' }),
  fakePosture({ rawCommands: 'taints-this-switch', rawAllowAll: true, profile: 'bmc' }),
  fakePosture({ level: 'confidentiality' }),
];

/** Numbers where ids are expected, and what no id is. */
const id = fc.oneof(
  { weight: 6, arbitrary: fc.nat(9) },
  { weight: 1, arbitrary: fc.constantFrom(255, 256, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 40) },
);
const hop = fc.oneof(
  { weight: 4, arbitrary: id.map((port) => ({ kind: 'port', port })) },
  { weight: 3, arbitrary: id.map((ld) => ({ kind: 'ld', ld })) },
  { weight: 1, arbitrary: fc.constant({ kind: 'ldpool' }) },
  { weight: 1, arbitrary: fc.constantFrom(null, undefined, {}, { kind: 'vcs' }, 'port', 3) },
);
const hops = fc.oneof(
  { weight: 3, arbitrary: fc.constant([]) },
  { weight: 4, arbitrary: fc.tuple(fc.record({ kind: fc.constant('port'), port: fc.nat(9) })) },
  { weight: 4, arbitrary: fc.array(hop, { maxLength: 4 }) },
  { weight: 1, arbitrary: fc.constantFrom(null, 'port:3', 3) },
);
const payload = fc.oneof(
  { weight: 12, arbitrary: fc.uint8Array({ maxLength: 40 }) },
  { weight: 4, arbitrary: fc.nat(80).map((length) => new Uint8Array(length)) },
  { weight: 1, arbitrary: fc.constantFrom(null, undefined, 'ff', [1, 2]) },
);
const command = fc.record({
  hops,
  tags: fc.oneof(fc.array(id, { maxLength: 3 }), fc.constant([]), fc.constant(undefined)),
  opcode: fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...catalogue.map((row) => row.opcode)) },
    { weight: 1, arbitrary: fc.nat(0xffff) },
    { weight: 1, arbitrary: id },
  ),
  payload,
});
const gate: fc.Arbitrary<RawGate | 'own'> = fc.constantFrom<(RawGate | 'own')[]>(
  'own',
  'own',
  { kind: 'notRaw' },
  { kind: 'accepted', taints: [] },
);

describe('decide is total', () => {
  test(`${CASES} submissions of any shape: a decision each, and none that contradicts itself`, () => {
    let allowed = 0;
    let internal = 0;
    fc.assert(
      fc.property(
        fc.oneof({ weight: 200, arbitrary: command }, { weight: 1, arbitrary: fc.constantFrom(null, undefined, 7) }),
        fc.constantFrom('sw0', 'sw0', 'sw0', 'sw1', 'sw0/ports/3', '__proto__', ''),
        fc.constantFrom('typed', 'typed', 'raw', 'other'),
        fc.constantFrom('acme', FABRIC_TENANT, 'globex', ''),
        fc.constantFrom(...postures),
        fc.constantFrom(undefined, 0, 16, 1e9, Number.NaN),
        gate,
        (given, name, submittedAs, tenant, posture, outputCapacity, said) => {
          const submission = {
            switch: name,
            submittedAs: submittedAs as Submission['submittedAs'],
            command: given as unknown as RoutedCommand,
            ...(outputCapacity === undefined ? {} : { outputCapacity }),
          };
          const input: DecisionInput = { principal: fakePrincipal(tenant), submission, posture, topology };
          const own = snapshot.rawGate(input);
          const decision = snapshot.decide(input, said === 'own' ? own : said);
          const { verdict, reasons, outward, facts } = decision;
          if (verdict === 'allow') allowed += 1;
          if (reasons.some(({ rule }) => rule === 'internal')) internal += 1;
          expect(verdict === 'allow').toBe(reasons.length === 0);
          expect(verdict === 'allow').toBe(outward === undefined);
          // A raw command is only ever allowed behind an accepting gate; a gate cannot be talked past.
          if (verdict === 'allow' && facts.class === 'raw') expect(own.kind).toBe('accepted');
          if (verdict === 'allow' && decision.answer === 'device') {
            expect(facts.touched.length).toBeGreaterThan(0);
            expect(decision.grants.every((grant) => grant.allowed)).toBe(true);
          }
          if (verdict === 'allow') expect(name).toBe('sw0');
          // The sentences are for any decision too.
          snapshot.explain(decision, input.principal);
          snapshot.wouldNeed(decision, input.principal);
        },
      ),
      { numRuns: CASES },
    );
    console.info(`total: cases ${CASES}, allowed ${allowed}, internal ${internal}`);
    expect(allowed).toBeGreaterThan(100);
  }, 120_000);
});
