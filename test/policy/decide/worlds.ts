import fc from 'fast-check';
import { catalogue, encodePayload, isTyped, type TypedRow, type Value } from '../../../src/cci/index.ts';
import { arbitraryValue } from '../../support/arbitrary-layout.ts';
import type { FabricSpec, TopologySpec } from '../../support/fake-policy.ts';
import type { World, WorldBinding, WorldPort, WorldVcs } from './tenant-oracle.ts';

// Random fabrics and random spellings of commands. Ids are kept small, so that they name something most of the time.

const owner = fc.constantFrom('acme', 'acme', 'globex', undefined);
/** Mostly what is there, sometimes just beyond, seldom anything. */
const smallId = fc.oneof({ weight: 12, arbitrary: fc.nat(5) }, { weight: 1, arbitrary: fc.nat(255) });

const worldPort: fc.Arbitrary<WorldPort> = fc
  .record({
    owner,
    split: fc.boolean(),
    device: fc.constantFrom('sld', 'mld', 'mld', 'none', 'other', 'unknown'),
    lds: fc.integer({ min: 1, max: 4 }),
    // The device is not always what the file says.
    extra: fc.constantFrom(0, 0, 0, 0, 1, -1),
    ldOwners: fc.array(owner, { minLength: 4, maxLength: 4 }),
  })
  .map(({ owner: whole, split, device, lds, extra, ldOwners }) => {
    const deviceLds = device === 'mld' ? Math.max(0, lds + extra) : 0;
    const fileLds = device === 'mld' || extra !== 0 ? lds : 0;
    const parts = ldOwners.slice(0, fileLds).flatMap((name, ld) => (name === undefined ? [] : [[ld, name] as const]));
    return {
      owner: split ? undefined : whole,
      device: device as WorldPort['device'],
      lds: fileLds,
      deviceLds,
      ldOwners: new Map(split ? parts : []),
    };
  });

const binding: fc.Arbitrary<WorldBinding> = fc.oneof(
  { weight: 3, arbitrary: fc.constant<WorldBinding>({ kind: 'unbound' }) },
  { weight: 1, arbitrary: fc.nat(5).map((port): WorldBinding => ({ kind: 'port', port })) },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.nat(5), fc.nat(3)).map(([port, ld]): WorldBinding => ({ kind: 'ld', port, ld })),
  },
  { weight: 1, arbitrary: fc.constant<WorldBinding>({ kind: 'unknown' }) },
);

const worldVcs: fc.Arbitrary<WorldVcs> = fc.record({
  owner,
  usp: fc.nat(5),
  vppbs: fc.array(binding, { minLength: 1, maxLength: 4 }),
});

export const arbitraryWorld: fc.Arbitrary<World> = fc
  .tuple(fc.array(worldPort, { minLength: 1, maxLength: 6 }), fc.array(worldVcs, { minLength: 1, maxLength: 3 }))
  .map(([ports, vcss]) => ({ ports: new Map(ports.entries()), vcss: new Map(vcss.entries()) }));

export function fabricSpecOf(world: World): FabricSpec {
  const ports: { [id: number]: FabricSpec['ports'][number] } = {};
  for (const [id, port] of world.ports) {
    ports[id] = {
      lds: port.lds,
      ...(port.owner === undefined ? {} : { owner: port.owner }),
      ldOwners: Object.fromEntries(port.ldOwners),
    };
  }
  const vcss: { [id: number]: FabricSpec['vcss'][number] } = {};
  for (const [id, vcs] of world.vcss) {
    vcss[id] = { vppbs: vcs.vppbs.length, ...(vcs.owner === undefined ? {} : { owner: vcs.owner }) };
  }
  return { ports, vcss };
}

export function topologySpecOf(world: World): TopologySpec {
  const devices: { [id: number]: TopologySpec['devices'][number] } = {};
  for (const [id, port] of world.ports) devices[id] = { device: port.device, ldCount: port.deviceLds };
  return { devices, vcss: Object.fromEntries(world.vcss) };
}

const typedRows: readonly TypedRow[] = catalogue.filter((row) => isTyped(row)) as unknown as readonly TypedRow[];
/** The rows that name objects come up more often than the rest. */
const naming = typedRows.filter(({ opcode }) => opcode >= 0x5100 && opcode < 0x5700 && opcode !== 0x5300);

/** Fields that name objects, with ids that mean something. */
const idFields: ReadonlySet<string> = new Set([
  'ppb_id',
  'port_id',
  'physical_port_id',
  'vcs_id',
  'vppb_id',
  'vppb_instance',
  'start_ld_id',
  'number_of_lds',
  'ld_allocation_list_limit',
  'ld_map_list_limit',
  'start_head',
  'number_of_heads',
  'host_id',
]);

function withSmallIds(value: Value): fc.Arbitrary<Value> {
  const changes: { [name: string]: fc.Arbitrary<Value[string]> } = {};
  for (const name of Object.keys(value)) {
    if (idFields.has(name)) changes[name] = smallId;
    else if (name === 'ld_id') changes[name] = fc.oneof(smallId, fc.constant(0xffff));
    else if (name === 'port_id_list' || name === 'vcs_id_list') {
      changes[name] = fc.array(smallId, { minLength: 1, maxLength: 4 });
    } else if (name === 'log_identifier') {
      changes[name] = fc.constantFrom('0da9c0b5-bf41-4b78-8f79-96b1623b3f17', '5e1819d9-11a9-400c-811f-d60719403d86');
    }
  }
  return fc.record(changes).map((small) => ({ ...value, ...small }));
}

/** The innermost command as bytes: a codec's own, or anything at all. */
const innermost: fc.Arbitrary<{ readonly opcode: number; readonly payload: Uint8Array }> = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...naming).chain(rowBytes) },
  { weight: 2, arbitrary: fc.constantFrom(...typedRows).chain(rowBytes) },
  {
    weight: 1,
    arbitrary: fc.record({
      opcode: fc.oneof(fc.constantFrom(...catalogue.map(({ opcode }) => opcode)), fc.integer({ min: 1, max: 0xffff })),
      payload: fc.uint8Array({ maxLength: 24 }),
    }),
  },
);

function rowBytes(row: TypedRow): fc.Arbitrary<{ readonly opcode: number; readonly payload: Uint8Array }> {
  return arbitraryValue(row.request, 'request')
    .chain(withSmallIds)
    .map((value) => {
      const payload = encodePayload(row.request, value);
      return { opcode: row.opcode, payload: payload.ok ? payload.value : new Uint8Array(0) };
    });
}

/** A tunnel layer written by hand: id, target type, size, header, payload. */
export function wrap(id: number, type: number, opcode: number, payload: Uint8Array): Uint8Array {
  const size = 12 + payload.length;
  return Uint8Array.of(
    ...[id, type, size & 0xff, size >> 8],
    ...[0, 7, 0, opcode & 0xff, opcode >> 8, payload.length & 0xff, (payload.length >> 8) & 0xff, 0, 0, 0, 0, 0],
    ...payload,
  );
}

/** A command as a client would write it to the switch: outermost opcode and payload. */
export interface Spelling {
  readonly opcode: number;
  readonly payload: Uint8Array;
  readonly submittedAs: 'typed' | 'raw';
}

export const arbitrarySpelling: fc.Arbitrary<Spelling> = fc
  .record({
    inner: innermost,
    depth: fc.constantFrom(1, 1, 1, 2),
    misplaced: fc.constantFrom(false, false, false, false, false, true),
    port: smallId,
    ld: smallId,
    pool: fc.constantFrom(false, false, false, true),
    submittedAs: fc.constantFrom('typed', 'typed', 'raw'),
  })
  .map(({ inner, depth, misplaced, port, ld, pool, submittedAs }) => {
    let { opcode, payload } = inner;
    // Mostly where the command belongs, sometimes not.
    const levels = (opcode >= 0x5100 && opcode < 0x5400) === misplaced ? depth : 0;
    if (levels === 2) [opcode, payload] = [0x5300, wrap(pool ? 0 : ld, pool ? 1 : 0, opcode, payload)];
    if (levels >= 1) [opcode, payload] = [0x5300, wrap(port, 0, opcode, payload)];
    return { opcode, payload, submittedAs: submittedAs as Spelling['submittedAs'] };
  });
