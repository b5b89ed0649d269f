import { describe, expect, it } from 'vitest';
import { copiesOf, type Ground, mayConcern } from '../../../src/broker/events/attribute.ts';
import {
  decodeEventRecord,
  type EventBody,
  encodeEventRecord,
  type Hop,
  plainEventHeader,
  portId,
  toHex,
} from '../../../src/cci/index.ts';
import { binding, fabricOf, opaque, portError, recordOf } from './rig.ts';

const fabric = fabricOf();
const topology: Ground['topology'] = {
  ports: new Map(),
  tagOwner: (port: number, tag: string) => (port === 3 && tag.startsWith('aaaa') ? 'acme' : undefined),
};
const ground = (port?: number) => {
  const hops: readonly Hop[] = port === undefined ? [] : [{ kind: 'port', port: portId(port) }];
  return { switch: 'sw0', hops, fabric, topology };
};

/** Tenants who get a copy, and what it says. */
function told(body: EventBody, port?: number): { readonly [tenant: string]: unknown } {
  return Object.fromEntries(
    copiesOf(recordOf(body), ground(port)).map(({ tenant, bytes }) => {
      const record = decodeEventRecord(bytes);
      if (!record.ok) throw new Error(record.error.message);
      return [tenant, record.value.body];
    }),
  );
}

const unbound = { vppb_binding_status: 'unbound', vppb_port_id: 0, vppb_ld_id: 0xff };
const hostless = { vcs_id: 0xff, vppb_id: 0xff, link_control_register: 0, slot_control_register: 0 };
const slot = (port: number): EventBody => {
  const shown = decodeEventRecord(
    recordOf({
      type: 'unknown',
      uuid: '77cf9271-9c02-470b-9fe4-bc7b75f2da97',
      data: Uint8Array.of(port, 1, ...new Uint8Array(78)),
    }),
  );
  if (!shown.ok) throw new Error(shown.error.message);
  return shown.value.body;
};
const capacity = (tag: number): EventBody => ({
  type: 'dynamic-capacity',
  data: {
    event_type: 'add-capacity',
    validity_flags: { available_extents: true, available_tags: true },
    host_id: 1,
    updated_region_index: 0,
    flags: false,
    starting_dpa: 0x1000n,
    length: 0x2000n,
    tag: new Uint8Array(16).fill(tag),
    shared_extent_sequence: 1,
    available_extents: 9,
    available_tags: 8,
  },
});

describe('records of the switch', () => {
  it.each<[string, EventBody, readonly string[]]>([
    ["a port of acme's", portError(1), ['acme', 'fabric']],
    ["a port of globex's", portError(2), ['fabric', 'globex']],
    ['a port of nobody', portError(0), ['fabric']],
    ['a port that tenants share, which is the operators’', portError(3), ['fabric']],
    ['a port that the fabric file does not have', portError(200), ['fabric']],
    ['a slot', slot(2), ['fabric', 'globex']],
    ["a vPPB of acme's that lost its device", binding(0, 1), ['acme', 'fabric']],
    ['a vPPB of nobody', binding(2, 1), ['fabric']],
    ['a VCS that the fabric file does not have', binding(9, 1), ['fabric']],
    ['a kind that is not known', opaque(1), ['fabric']],
    ['dynamic capacity, which no switch has', capacity(0), ['fabric']],
  ])('%s: told to those it concerns', (_what, body, tenants) => {
    expect(Object.keys(told(body)).sort()).toEqual(tenants);
    for (const copy of Object.values(told(body))) expect(copy).toEqual(body);
  });

  it('a host reads in full what is bound to it of his own', () => {
    expect(told(binding(0, 1, { port: 3, ld: 0 }))).toEqual({
      acme: binding(0, 1, { port: 3, ld: 0 }),
      fabric: binding(0, 1, { port: 3, ld: 0 }),
    });
    expect(Object.keys(told(binding(0, 1, { port: 4, ld: 2 })))).toEqual(['acme', 'fabric']);
  });

  it('a host does not learn which foreign device was bound to it, nor the owner to whom', () => {
    const body = binding(0, 1, { port: 3, ld: 2 });
    const data = body.type === 'virtual-switch' ? body.data : undefined;
    expect(told(body)).toEqual({
      acme: { type: 'virtual-switch', data: { ...data, ...unbound } },
      globex: { type: 'virtual-switch', data: { ...data, ...hostless } },
      fabric: body,
    });
  });

  it('of a device of the operators a host sees no more than 5200h shows him', () => {
    const body = binding(0, 1, { port: 5 });
    const data = body.type === 'virtual-switch' ? body.data : undefined;
    expect(told(body)).toEqual({ acme: { type: 'virtual-switch', data: { ...data, ...unbound } }, fabric: body });
  });

  it('an LD of a tenant in a VCS of the operators is told to the tenant alone', () => {
    expect(Object.keys(told(binding(2, 0, { port: 3, ld: 0 }))).sort()).toEqual(['acme', 'fabric']);
  });

  it('ids in the header mean nothing there and are not passed on', () => {
    const flags = { ...plainEventHeader.event_record_flags, ld_id_valid: true, head_id_valid: true };
    const header = { ...plainEventHeader, event_record_flags: flags, ld_id: 2, head_id: 3 };
    const source = encodeEventRecord({ header, body: portError(1) });
    if (!source.ok) throw new Error(source.error.message);
    const copies = new Map(copiesOf(source.value, ground()).map(({ tenant, bytes }) => [tenant, bytes]));
    expect(decodeEventRecord(copies.get('acme') ?? new Uint8Array(0))).toMatchObject({
      value: { header: { ld_id: 0, head_id: 0, event_record_flags: { ld_id_valid: false, head_id_valid: false } } },
    });
    expect(toHex(copies.get('fabric') ?? new Uint8Array(0))).toBe(toHex(source.value));
  });

  it('reserved bytes of the device never pass to a tenant, and bytes that cannot be read go to operators alone', () => {
    const source = recordOf(portError(1));
    source[127] = 0x5a;
    source[0x2f] = 0x5a;
    const copies = copiesOf(source, ground());
    expect(toHex(copies[0]?.bytes ?? new Uint8Array(0))).not.toContain('5a');
    source[16] = 64;
    expect(copiesOf(source, ground()).map(({ tenant, others }) => [tenant, others])).toEqual([['fabric', false]]);
  });

  it('operators are told which records concern others', () => {
    const others = (body: EventBody) =>
      copiesOf(recordOf(body), ground()).find((one) => one.tenant === 'fabric')?.others;
    expect(others(portError(1))).toBe(true);
    expect(others(portError(0))).toBe(false);
  });
});

describe('records of devices', () => {
  it('all of a device that is one tenant’s is told to him, also what nobody can read', () => {
    expect(told(capacity(0x11), 4)).toEqual({ acme: capacity(0x11), fabric: capacity(0x11) });
    expect(told(opaque(9), 4)).toEqual({ acme: opaque(9), fabric: opaque(9) });
  });

  it('of a shared device the owner of a tag reads of his extent, not how much is left', () => {
    const body = capacity(0xaa);
    expect(told(body, 3)).toMatchObject({
      acme: {
        data: {
          tag: new Uint8Array(16).fill(0xaa),
          starting_dpa: 0x1000n,
          available_extents: 0,
          available_tags: 0,
          validity_flags: { available_extents: false, available_tags: false },
        },
      },
      fabric: body,
    });
    expect(Object.keys(told(capacity(0xbb), 3))).toEqual(['fabric']);
    expect(Object.keys(told(opaque(1), 3))).toEqual(['fabric']);
    expect(Object.keys(told(portError(1), 3))).toEqual(['fabric']);
  });

  it('whoever owns the LD of the header hears of it, without a tag that is somebody else’s', () => {
    const flags = { ...plainEventHeader.event_record_flags, ld_id_valid: true };
    const source = encodeEventRecord({
      header: { ...plainEventHeader, event_record_flags: flags, ld_id: 2 },
      body: capacity(0xaa),
    });
    if (!source.ok) throw new Error(source.error.message);
    const copies = new Map(
      copiesOf(source.value, ground(3)).map(({ tenant, bytes }) => [tenant, decodeEventRecord(bytes)]),
    );
    expect([...copies.keys()].sort()).toEqual(['acme', 'fabric', 'globex']);
    expect(copies.get('globex')).toMatchObject({
      value: {
        header: { ld_id: 2 },
        body: { data: { tag: new Uint8Array(16), starting_dpa: 0n, length: 0n, host_id: 0 } },
      },
    });
    expect(copies.get('acme')).toMatchObject({ value: { header: { ld_id: 0 } } });
  });

  it('a device with several heads is nobody’s who has not all of them', () => {
    const head = (id: number, ...beside: number[]) =>
      [id, { id, role: 'dsp', device: 'mld', ldCount: 4, beside }] as const;
    const shared = { ...ground(4), topology: { ...topology, ports: new Map([head(4, 2), head(2, 4)]) } };
    const names = (body: EventBody) => copiesOf(recordOf(body), shared).map(({ tenant }) => tenant);
    expect(names(opaque(9))).toEqual(['fabric']);
    expect(names(capacity(0x11))).toEqual(['fabric']);
    const own = { ...ground(4), topology: { ...topology, ports: new Map([head(4, 1), head(1, 4)]) } };
    expect(copiesOf(recordOf(opaque(9)), own).map(({ tenant }) => tenant)).toEqual(['acme', 'fabric']);
    expect(['acme', 'globex', 'idle', 'fabric'].filter((tenant) => mayConcern(tenant, shared))).toEqual([
      'acme',
      'globex',
      'fabric',
    ]);
  });
});
