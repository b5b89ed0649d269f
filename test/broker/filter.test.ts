import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { filterReply, Pseudonyms, pseudonymSecret, type View } from '../../src/broker/filter/index.ts';
import { applyRules } from '../../src/broker/filter/rules.ts';
import { fromHex, isTyped, portId, rowBySlug, type TypedRow, type Value } from '../../src/cci/index.ts';
import type { TopologyView } from '../../src/policy/index.ts';
import { exampleSpec, exampleTopology, fakeFabric, fakeTopology } from '../support/fake-policy.ts';

// Port 5 is an MLD: acme has LDs 0 and 3, globex LD 1, nobody LD 2.
const fabric = fakeFabric(exampleSpec);
const mine = 'a1a1a1a1-a1a1-a1a1-a1a1-a1a1a1a1a1a1';
const his = 'b2b2b2b2-b2b2-b2b2-b2b2-b2b2b2b2b2b2';
const bytes = (uuid: string) => fromHex(uuid.replaceAll('-', '')) ?? new Uint8Array(16);
const topology: TopologyView = fakeTopology({
  ...exampleTopology,
  tagOwners: { [`5/${mine}`]: 'acme', [`5/${his}`]: 'globex' },
});

function view(tenant: string, port: number, more: Partial<View> = {}): View {
  return { tenant, switch: 'sw0', fabric, hops: [{ kind: 'port', port: portId(port) }], mayRun: () => false, ...more };
}

function rowOf(slug: string): TypedRow {
  const row = rowBySlug(slug);
  if (row === undefined || !isTyped(row)) throw new Error(`no ${slug}`);
  return row;
}

function filtered(slug: string, reply: object, asked: object, as: View): Value {
  const result = filterReply(rowOf(slug), reply as Value, asked as Value, as, topology);
  if (!result.ok) throw new Error(result.error.message);
  return result.value.value;
}

const tags = {
  generation_number: 7,
  total_number_of_tags: 3,
  validity_bitmap: { reference_bitmap_valid: true, pending_reference_bitmap_valid: true },
  tag_information_list: [
    { tag: bytes(his), flags: true, reference_bitmap: [1], pending_reference_bitmap: [] },
    { tag: bytes(mine), flags: false, reference_bitmap: [0, 1, 3], pending_reference_bitmap: [1] },
    { tag: bytes(his.replaceAll('b2', 'c3')), flags: false, reference_bitmap: [2], pending_reference_bitmap: [] },
  ],
};

describe('tags of a device that is shared', () => {
  it('are those of the caller alone, with his hosts alone', () => {
    const seen = filtered('dynamic-capacity-list-tags', tags, { starting_index: 0, max_tags: 9 }, view('acme', 5));
    expect(seen).toMatchObject({
      total_number_of_tags: 1,
      tag_information_list: [{ tag: bytes(mine), reference_bitmap: [0, 3], pending_reference_bitmap: [] }],
    });
  });

  it('have a generation of their own: it tells nothing of others', () => {
    const ask = { starting_index: 0, max_tags: 9 };
    const seen = (reply: object) => filtered('dynamic-capacity-list-tags', reply, ask, view('acme', 5));
    const less = { ...tags, generation_number: 99, tag_information_list: tags.tag_information_list.slice(1) };
    expect(seen(less)).toEqual(seen(tags));
    const changed = tags.tag_information_list.map((tag) => ({ ...tag, flags: !tag.flags }));
    expect(seen({ ...tags, tag_information_list: changed }).generation_number).not.toBe(seen(tags).generation_number);
  });

  it('are windowed after they were cut', () => {
    const ask = { starting_index: 1, max_tags: 9 };
    const seen = filtered('dynamic-capacity-list-tags', tags, ask, view('acme', 5));
    expect(seen).toMatchObject({ total_number_of_tags: 1, tag_information_list: [] });
    const all = filtered('dynamic-capacity-list-tags', tags, { starting_index: 2, max_tags: 1 }, view('fabric', 5));
    expect(all).toMatchObject({ generation_number: 7, total_number_of_tags: 3 });
    expect(all.tag_information_list).toHaveLength(1);
  });
});

describe('other replies', () => {
  const region = {
    host_id: 0,
    number_of_available_regions: 0,
    region_configurations: [],
    total_number_of_supported_extents: 64,
    number_of_available_extents: 3,
    total_number_of_supported_tags: 16,
    number_of_available_tags: 5,
  };

  it('tell of a shared device what is left as if nobody else were there', () => {
    const seen = (as: View) => filtered('get-host-dc-region-configuration', region, {}, as);
    expect(seen(view('acme', 5))).toMatchObject({ number_of_available_extents: 64, number_of_available_tags: 16 });
    expect(seen(view('acme', 8))).toMatchObject({ number_of_available_extents: 3, number_of_available_tags: 5 });
  });

  it('show the heads of his LDs, and FFh in the place of others', () => {
    const map = { number_of_lds: 4, number_of_heads: 2, start_ld_id: 0, ld_map: [0, 1, 1, 0] };
    const seen = filtered('get-multi-headed-info', map, { start_ld_id: 0, ld_map_list_limit: 255 }, view('acme', 5));
    expect(seen.ld_map).toEqual([0, 0xff, 0xff, 0]);
    const part = { ...map, start_ld_id: 3, ld_map: [0] };
    const window = filtered('get-multi-headed-info', part, { start_ld_id: 2, ld_map_list_limit: 2 }, view('acme', 5));
    expect(window).toMatchObject({ start_ld_id: 2, ld_map: [0xff, 0] });
  });

  it('of a host name no tag of another tenant, who gave access', () => {
    const reply = {
      host_id: 0,
      starting_extent_index: 0,
      total_extent_count: 3,
      extent_list_generation_number: 1,
      extents: [mine, his, '00000000-0000-0000-0000-000000000000'].map((tag, i) => ({
        starting_dpa: BigInt(i),
        length: 1n,
        tag: bytes(tag),
        shared_extent_sequence: 0,
      })),
    };
    const seen = filtered('get-dc-region-extent-lists', reply, {}, view('acme', 5)).extents as readonly Value[];
    expect(seen.map(({ tag }) => tag)).toEqual([bytes(mine), new Uint8Array(16), new Uint8Array(16)]);
  });

  it('that do not have what a rule speaks of are refused, not passed on', () => {
    const input = { view: view('acme', 5), topology, asked: {} };
    const broken = [
      { rule: 'keyed', list: 'nothing', key: 'id', of: 'port' },
      { rule: 'window', list: 'list', start: 'start', count: 'count' },
    ] as const;
    for (const rule of broken) expect(() => applyRules([rule], { list: [] }, input)).toThrow(TypeError);
  });

  it('hide single numbers and bits of others', () => {
    const input = { view: view('acme', 5), topology, asked: {} };
    const rules = [
      { rule: 'name', field: 'ingress', of: 'port', hidden: 0 },
      { rule: 'bitmap', field: 'vcss', of: 'vcs' },
      { rule: 'bitmap', field: 'lds', of: 'ld' },
      { rule: 'count', field: 'number', list: 'vcss' },
    ] as const;
    const reply = { ingress: 4, vcss: [0, 1], lds: [0, 1, 2, 3], number: 2 };
    expect(applyRules(rules, reply, input)).toEqual({ ingress: 0, vcss: [0], lds: [0, 3], number: 1 });
    expect(applyRules(rules, { ...reply, ingress: 3 }, input)).toMatchObject({ ingress: 3 });
  });
});

describe('pseudonyms under confidentiality', () => {
  const pseudonyms = new Pseudonyms(new Uint8Array(32).fill(1), 'boot-1');
  const identity = {
    pcie_vendor_id: 1,
    pcie_device_id: 2,
    pcie_subsystem_vendor_id: 3,
    pcie_subsystem_id: 4,
    device_serial_number: 0x1234n,
    max_supported_message_size: 12,
    component_type: 'type-3-device',
  };
  const seen = (port: number, tenant = 'fabric') =>
    filtered('identify', identity, {}, view(tenant, port, { pseudonyms })).device_serial_number;

  it('stand for the serial numbers of what tenants have a part in, the same in one boot', () => {
    for (const port of [3, 5]) expect(seen(port)).toBe(pseudonyms.serial(0x1234n));
    expect(seen(3)).not.toBe(0x1234n);
    expect(new Pseudonyms(new Uint8Array(32).fill(1), 'boot-2').serial(0x1234n)).not.toBe(seen(3));
    // Nobody has a part in port 6, and what is a tenant's own he knows.
    expect(seen(6)).toBe(0x1234n);
    expect(seen(3, 'acme')).toBe(0x1234n);
  });

  it('do not touch the serial number of the switch', () => {
    const as = view('fabric', 3, { pseudonyms, hops: [] });
    expect(filtered('identify', identity, {}, as).device_serial_number).toBe(0x1234n);
  });

  it('stand for the tags of tenants, and are tags', () => {
    const reply = filtered('dynamic-capacity-list-tags', tags, {}, view('fabric', 5, { pseudonyms }));
    const shown = (reply.tag_information_list as readonly Value[]).map(({ tag }) => tag as Uint8Array);
    expect(shown[0]).toEqual(pseudonyms.tag(bytes(his)));
    expect(shown[0]?.[6]).toSatisfy((byte: number) => byte >> 4 === 8);
    // Nobody has recorded the last one: the operators' own.
    expect(shown[2]).toEqual(bytes(his.replaceAll('b2', 'c3')));
    const extents = filtered(
      'get-dc-region-extent-lists',
      {
        host_id: 0,
        starting_extent_index: 0,
        total_extent_count: 1,
        extent_list_generation_number: 1,
        extents: [{ starting_dpa: 0n, length: 1n, tag: bytes(mine), shared_extent_sequence: 0 }],
      },
      {},
      view('fabric', 5, { pseudonyms }),
    );
    expect((extents.extents as readonly Value[])[0]?.tag).toEqual(pseudonyms.tag(bytes(mine)));
  });

  it('come from a secret that is made once, and is never half there', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'cci-pseudonyms-'));
    onTestFinished(() => rm(directory, { recursive: true, force: true }));
    const first = await pseudonymSecret(directory);
    expect(await pseudonymSecret(directory)).toEqual(Buffer.from(first));
    expect((await stat(join(directory, 'pseudonyms.key'))).mode & 0o777).toBe(0o600);
    await writeFile(join(directory, 'pseudonyms.key'), 'short');
    await expect(pseudonymSecret(directory)).rejects.toThrow('32 bytes');
  });
});
