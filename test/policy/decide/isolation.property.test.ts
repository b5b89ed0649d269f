import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { decodeRoute, encodeRoute } from '../../../src/cci/index.ts';
import {
  createSnapshot,
  type Decision,
  type DecisionInput,
  loadFabric,
  loadPolicy,
  NO_SUCH_OBJECT,
  type Snapshot,
  type TopologyView,
} from '../../../src/policy/index.ts';
import type { Posture } from '../../../src/taint/index.ts';
import {
  exampleMandatory,
  type FakeMandatoryRow,
  fakeEngine,
  fakeFabric,
  fakePosture,
  fakePrincipal,
  fakeTopology,
} from '../../support/fake-policy.ts';
import { objection, onlyOwnBehind, type World } from './tenant-oracle.ts';
import { arbitrarySpelling, arbitraryWorld, fabricSpecOf, type Spelling, topologySpecOf, wrap } from './worlds.ts';

// Each world is asked many commands: worlds are dear to make, commands are cheap.
const WORLDS = 1250;
const SPELLINGS_PER_WORLD = 80;

const open = fakePosture({ rawCommands: 'taints-this-switch', rawAllowAll: true, profile: 'bmc' });
const tally = { cases: 0, undecodable: 0, allowed: 0, raw: 0, tunnelled: 0, narrowed: 0, empty: 0, denied: 0 };

afterAll(() => {
  const text = Object.entries(tally).map(([name, count]) => `${name} ${count}`);
  console.info(`isolation: ${text.join(', ')}`);
});

interface Broker {
  readonly snapshot: Snapshot;
  readonly topology: TopologyView;
}

function brokerOf(world: World, mandatory: readonly FakeMandatoryRow[] = []): Broker {
  const fabric = fakeFabric(fabricSpecOf(world));
  const snapshot = createSnapshot(fakeEngine(fabric, undefined, mandatory), { discloseReasons: 'own' });
  return { snapshot, topology: fakeTopology(topologySpecOf(world)) };
}

/** The same world as a fabric file, with casbin, the shipped rules and a grant of everything to the tenant. */
async function shippedBrokerOf(world: World): Promise<Broker> {
  const owned = (name: string): readonly string[] => [
    ...[...world.ports].flatMap(([id, port]) => [
      ...(port.owner === name ? [`/switches/sw0/ports/${id}`] : []),
      ...[...port.ldOwners]
        .filter(([, tenant]) => tenant === name)
        .map(([ld]) => `/switches/sw0/ports/${id}/lds/${ld}`),
    ]),
    ...[...world.vcss].filter(([, vcs]) => vcs.owner === name).map(([id]) => `/switches/sw0/vcss/${id}`),
  ];
  const text = JSON.stringify({
    switches: {
      sw0: {
        ports: [...world.ports].map(([id, { lds }]) => ({ ids: id, ...(lds === 0 ? {} : { lds }) })),
        vcss: [...world.vcss].map(([id, { vppbs }]) => ({ ids: id, vppbs: vppbs.length })),
      },
    },
    tenants: { acme: { owns: owned('acme') }, globex: { owns: owned('globex') } },
  });
  const fabric = loadFabric({ text });
  if (!fabric.ok) throw new Error(JSON.stringify(fabric.error));
  const shipped = (name: string): Uint8Array => readFileSync(new URL(`../../../policies/${name}`, import.meta.url));
  const files = {
    'model.conf': shipped('model.conf'),
    'mandatory.csv': shipped('mandatory.csv'),
    'tenants/acme.csv': [
      'p, role:all, acme, /switches/sw0/*, scope:<=3, allow',
      'p, role:all, acme, /switches/sw0/*, opcode:0x0001-0xffff, allow',
      'g, group:tenant/acme, role:all, acme\n',
    ].join('\n'),
  };
  const engine = await loadPolicy({ files, fabric: fabric.value, profile: 'bmc' });
  if (!engine.ok) throw new Error(JSON.stringify(engine.error));
  const snapshot = createSnapshot(engine.value, { discloseReasons: 'own' });
  return { snapshot, topology: fakeTopology(topologySpecOf(world)) };
}

/** As the pipeline does it: the bytes taken apart, the gate asked, decided. Undefined: the decoder refused. */
function decideBytes(broker: Broker, spelling: Spelling, posture: Posture, tenant = 'acme'): Decision | undefined {
  const decoded = decodeRoute(spelling.opcode, spelling.payload);
  if (!decoded.ok) return undefined;
  const input: DecisionInput = {
    principal: fakePrincipal(tenant),
    submission: { switch: 'sw0', submittedAs: spelling.submittedAs, command: decoded.value },
    posture,
    topology: broker.topology,
  };
  return broker.snapshot.decide(input, broker.snapshot.rawGate(input));
}

function count(decision: Decision | undefined): void {
  tally.cases += 1;
  if (decision === undefined) tally.undecodable += 1;
  else if (decision.verdict === 'deny') tally.denied += 1;
  else {
    tally.allowed += 1;
    if (decision.facts.class === 'raw') tally.raw += 1;
    if (decision.facts.hops.length > 0) tally.tunnelled += 1;
    if (decision.narrowing !== undefined) tally.narrowed += 1;
    if (decision.answer === 'empty') tally.empty += 1;
  }
}

/** Opcodes that were allowed at least once, so that the property is known to say something about them. */
const allowedOpcodes = new Set<number>();

describe('tenant isolation', () => {
  test(`no spelling of any command reaches what is not the tenant's (${WORLDS * SPELLINGS_PER_WORLD} cases)`, () => {
    fc.assert(
      fc.property(
        arbitraryWorld,
        fc.array(arbitrarySpelling, { minLength: SPELLINGS_PER_WORLD, maxLength: SPELLINGS_PER_WORLD, size: 'max' }),
        (world, spellings) => {
          const broker = brokerOf(world);
          for (const spelling of spellings) {
            const decision = decideBytes(broker, spelling, open);
            count(decision);
            if (decision?.verdict !== 'allow') continue;
            allowedOpcodes.add(decision.facts.opcode);
            if (decision.answer === 'empty') continue;
            const sent = encodeRoute(decision.command);
            expect(objection(world, 'acme', sent.opcode, sent.payload)).toBeUndefined();
          }
        },
      ),
      // Few binds are allowed: another seed might have none of them.
      { numRuns: WORLDS, seed: 20_261_123 },
    );
    expect(tally.allowed).toBeGreaterThan(2000);
    expect(tally.raw).toBeGreaterThan(200);
    expect(tally.tunnelled).toBeGreaterThan(200);
    for (const opcode of [0x5101, 0x5102, 0x5106, 0x5200, 0x5201, 0x5202, 0x5203, 0x5301, 0x5302, 0x5401, 0x5409]) {
      expect(allowedOpcodes, opcode.toString(16)).toContain(opcode);
    }
  }, 120_000);

  test('nor does it with casbin, the shipped rules and a grant of everything', async () => {
    let allowed = 0;
    const spellings = fc.array(arbitrarySpelling, { minLength: 100, maxLength: 100, size: 'max' });
    await fc.assert(
      fc.asyncProperty(arbitraryWorld, spellings, async (world, asked) => {
        const broker = await shippedBrokerOf(world);
        for (const spelling of asked) {
          const decision = decideBytes(broker, spelling, open);
          count(decision);
          if (decision?.verdict !== 'allow' || decision.answer === 'empty') continue;
          allowed += 1;
          const sent = encodeRoute(decision.command);
          expect(objection(world, 'acme', sent.opcode, sent.payload)).toBeUndefined();
        }
      }),
      { numRuns: 60, seed: 20_261_123 },
    );
    expect(allowed).toBeGreaterThan(100);
  }, 120_000);

  test('in profile host nothing of a tenant disturbs another one: a reset needs a port with only his own behind it', () => {
    let resets = 0;
    const mandatory = exampleMandatory.filter(({ id }) => id === 'P1' || id === 'P2');
    fc.assert(
      fc.property(arbitraryWorld, (world) => {
        const broker = brokerOf(world, mandatory);
        for (const port of world.ports.keys()) {
          const reset: Spelling = { opcode: 0x5102, payload: Uint8Array.of(port, 2), submittedAs: 'typed' };
          if (decideBytes(broker, reset, fakePosture())?.verdict !== 'allow') continue;
          resets += 1;
          expect(onlyOwnBehind(world, 'acme', port)).toBe(true);
        }
      }),
      { numRuns: 1000 },
    );
    expect(resets).toBeGreaterThan(20);
  });

  test('a foreign object answers as one that does not exist, whatever the command and whatever else failed', () => {
    const absent = 0xfe;
    const target = fc.constantFrom<(id: number) => Omit<Spelling, 'submittedAs'>>(
      (id) => ({ opcode: 0x5101, payload: Uint8Array.of(1, id) }),
      (id) => ({ opcode: 0x5102, payload: Uint8Array.of(id, 0) }),
      (id) => ({ opcode: 0x5103, payload: Uint8Array.of(id, 0, 0, 0, 0, 0, 0, 0) }),
      (id) => ({ opcode: 0x5301, payload: Uint8Array.of(id, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0) }),
      (id) => ({ opcode: 0x5301, payload: Uint8Array.of(id, 0, 0, 0x80, 0xff, 0xff, 0, 0, 0, 0, 0, 0) }),
      (id) => ({ opcode: 0x5201, payload: Uint8Array.of(0, 0, id, 0, 0xff, 0xff) }),
      (id) => ({ opcode: 0x5201, payload: Uint8Array.of(0, 0, id, 0, 1, 0) }),
      (id) => ({ opcode: 0x5300, payload: wrap(id, 0, 0x0001, new Uint8Array(0)) }),
      (id) => ({ opcode: 0x5300, payload: wrap(id, 0, 0x5401, Uint8Array.of(0, 4)) }),
      (id) => ({ opcode: 0x5300, payload: wrap(id, 0, 0x5401, Uint8Array.of(0)) }),
      (id) => ({ opcode: 0x5300, payload: wrap(id, 0, 0x4400, new Uint8Array(0)) }),
      (id) => ({ opcode: 0x5300, payload: wrap(id, 0, 0x4301, new Uint8Array(8)) }),
      (id) => ({ opcode: 0x5300, payload: wrap(id, 0, 0xc010, new Uint8Array(3)) }),
      (id) => ({ opcode: 0x5300, payload: wrap(id, 0, 0x5300, wrap(0, 0, 0x4000, new Uint8Array(0))) }),
      (id) => ({ opcode: 0x5300, payload: wrap(id, 0, 0x5300, wrap(0, 1, 0x5500, Uint8Array.of(0, 4))) }),
    );
    const posture = fc.constantFrom(
      fakePosture(),
      open,
      fakePosture({ level: 'integrity' }),
      fakePosture({
        rawCommands: 'taints-this-switch',
        rawAllowAll: true,
        level: 'confidentiality',
        underLockdown: 'reads',
      }),
    );
    fc.assert(
      fc.property(arbitraryWorld, target, posture, fc.constantFrom('typed', 'raw'), (world, spell, standing, as) => {
        const foreign = [...world.ports].filter(([, port]) => {
          return port.owner !== 'acme' && ![...port.ldOwners.values()].includes('acme');
        });
        const broker = brokerOf(world, exampleMandatory);
        const submittedAs = as as Spelling['submittedAs'];
        const nowhere = decideBytes(broker, { ...spell(absent), submittedAs }, standing);
        for (const [id] of foreign) {
          tally.cases += 1;
          const decision = decideBytes(broker, { ...spell(id), submittedAs }, standing);
          expect(decision?.verdict).toBe(nowhere?.verdict);
          expect(decision?.answer).toBe(nowhere?.answer);
          expect(decision?.outward).toEqual(nowhere?.outward);
          expect(decision?.disclosed).toBe(nowhere?.disclosed);
          expect(decision?.needsCel).toBeUndefined();
          expect(decision?.taints).toEqual(nowhere?.taints);
          if (decision?.verdict === 'deny') {
            expect(decision.outward).toEqual({ errno: 'EPERM', returnCode: 2, text: NO_SUCH_OBJECT });
          }
        }
      }),
      { numRuns: 3000 },
    );
  });
});
