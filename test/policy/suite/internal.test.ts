import { expect, it } from 'vitest';
import { createSnapshot } from '../../../src/policy/index.ts';
import { differencesOf } from '../../../src/policy/suite/differences.ts';
import {
  exampleSpec,
  exampleTopology,
  fakeEngine,
  fakeFabric,
  fakePosture,
  fakePrincipal,
  fakeTopology,
} from '../../support/fake-policy.ts';

it('a case is not passed by a denial that is a defect of the engine', () => {
  const engine = fakeEngine(fakeFabric(exampleSpec));
  const broken = {
    ...engine,
    mandatory: () => {
      throw new Error('broken');
    },
  };
  const command = { hops: [], tags: [], opcode: 0x5100, payload: new Uint8Array(0) };
  const input = {
    principal: fakePrincipal('acme'),
    submission: { switch: 'sw0', submittedAs: 'typed' as const, command },
    posture: fakePosture(),
    topology: fakeTopology(exampleTopology),
  };
  const decision = createSnapshot(broken, { discloseReasons: 'own' }).decide(input, { kind: 'notRaw' });
  expect(decision.verdict).toBe('deny');
  expect(differencesOf({ verdict: 'deny', rules: [] }, decision, new Map() as never)).toEqual([
    { what: 'rule', expected: 'a rule', got: 'internal' },
  ]);
});
