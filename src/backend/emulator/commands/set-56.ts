import { fromHex, RC, toHex } from '../../../cci/index.ts';
import { capacityEvents, changed, counters, dcdOf, NO_TAG, tagsOf } from '../capacity.ts';
import { addCapacity, releaseCapacity } from '../capacity-manager.ts';
import { type Command, type Context, command, done, finished, refused, room } from '../command.ts';
import type { DcdState, Extent } from '../dcd-state.ts';
import type { DeviceState } from '../state.ts';

const UNIT = 1n << 28n;
/** Block sizes from 2 MiB to 1 GiB; bit n stands for 2^n. */
const BLOCK_SIZES = 0x7fe00000n;
const EXTENT_SIZE = 40;
const TAG_SIZE = 84;
const REGIONS = 8;

/** Command set 56h: DCD Management. */
export const set56: readonly Command[] = [
  command('get-dcd-info', (context) => {
    const device = deviceOf(context);
    const { regions, hosts } = dcdOf(device);
    const mask = (i: number): bigint => {
      const region = regions[i];
      return region === undefined ? 0n : BLOCK_SIZES | region.blockBytes;
    };
    return done({
      number_of_hosts: hosts.length & 0xff,
      number_of_supported_dc_regions: regions.length,
      supported_add_capacity_selection_policies: {
        free: true,
        contiguous: true,
        prescriptive: true,
        enable_shared_access: true,
      },
      supported_removal_policies: { tag_based: true, prescriptive: true },
      sanitize_on_release_bitmask: regions.reduce(
        (bits, region, i) => bits | (region.sanitizeOnRelease ? 1 << i : 0),
        0,
      ),
      total_dynamic_capacity: regions.reduce((sum, region) => sum + region.length, 0n) / UNIT,
      region_0_supported_block_size_mask: mask(0),
      region_1_supported_block_size_mask: mask(1),
      region_2_supported_block_size_mask: mask(2),
      region_3_supported_block_size_mask: mask(3),
      region_4_supported_block_size_mask: mask(4),
      region_5_supported_block_size_mask: mask(5),
      region_6_supported_block_size_mask: mask(6),
      region_7_supported_block_size_mask: mask(7),
    });
  }),

  command('get-host-dc-region-configuration', (context, { host_id, region_count, starting_region_index }) => {
    const device = deviceOf(context);
    const { regions, hosts } = dcdOf(device);
    if (hosts[host_id] === undefined || starting_region_index >= regions.length) return refused(RC.invalidInput);
    const most = Math.min(region_count, REGIONS, room(context, 20, EXTENT_SIZE));
    return done({
      host_id,
      number_of_available_regions: regions.length,
      region_configurations: regions.slice(starting_region_index, starting_region_index + most).map((region) => ({
        region_base: region.base,
        region_decode_length: region.length / UNIT,
        region_length: region.length,
        region_block_size: region.blockBytes,
        dsmas_flags: {
          non_volatile: false,
          sharable: region.sharable,
          hw_managed_coherency: region.sharable,
          interconnect_specific_dc_management: false,
          read_only: false,
        },
        sanitize_on_release: region.sanitizeOnRelease,
      })),
      ...counters(context.machine, device),
    });
  }),

  // Only for a region that nobody has anything of: extents are multiples of its blocks.
  command('set-dc-region-configuration', (context, { region_id, region_block_size, sanitize_on_release }) => {
    const { machine } = context;
    const device = deviceOf(context);
    const dcd = dcdOf(device);
    const region = dcd.regions[region_id];
    if (region === undefined) return refused(RC.invalidInput);
    const supported = BLOCK_SIZES | region.blockBytes;
    const powerOfTwo = region_block_size > 0n && (region_block_size & (region_block_size - 1n)) === 0n;
    if (!powerOfTwo || (supported & region_block_size) === 0n) return refused(RC.invalidInput);
    if (region.length % region_block_size !== 0n) return refused(RC.invalidInput);
    if (inUse(dcd, region_id)) return refused(RC.invalidInput);
    region.blockBytes = region_block_size;
    region.sanitizeOnRelease = sanitize_on_release;
    dcd.hosts.forEach((_, host) => {
      changed(dcd, host);
    });
    const whole: Extent = { dpa: region.base, length: region.length, tag: NO_TAG, sequence: 0, region: region_id };
    capacityEvents(machine, device, 'region-configuration-updated', 0, [whole]);
    return finished();
  }),

  command('get-dc-region-extent-lists', (context, { host_id, extent_count, starting_extent_index }) => {
    const dcd = dcdOf(deviceOf(context));
    const extents = dcd.hosts[host_id];
    if (extents === undefined || starting_extent_index > extents.length) return refused(RC.invalidInput);
    const most = Math.min(extent_count, room(context, 24, EXTENT_SIZE));
    return done({
      host_id,
      starting_extent_index,
      total_extent_count: extents.length,
      extent_list_generation_number: dcd.listGeneration[host_id] ?? 0,
      extents: extents.slice(starting_extent_index, starting_extent_index + most).map(extentValue),
    });
  }),

  command('initiate-dynamic-capacity-add', (context, request) => {
    const { selection_policy: policy } = request;
    if (typeof policy === 'number') return refused(RC.invalidInput);
    return outcome(
      addCapacity(context.machine, deviceOf(context), {
        host: request.host_id,
        policy,
        region: request.region,
        length: request.length,
        tag: toHex(request.tag),
        extents: (request.extents ?? []).map((extent) => ({
          dpa: extent.starting_dpa,
          length: extent.length,
          tag: toHex(extent.tag),
          sequence: extent.shared_extent_sequence,
        })),
      }),
    );
  }),

  command('initiate-dynamic-capacity-release', (context, request) => {
    const { removal_policy: policy, forced_removal } = request.flags;
    if (typeof policy === 'number') return refused(RC.invalidInput);
    return outcome(
      releaseCapacity(context.machine, deviceOf(context), {
        host: request.host_id,
        policy,
        forced: forced_removal,
        length: request.length,
        tag: toHex(request.tag),
        extents: (request.extents ?? []).map((extent) => ({ dpa: extent.starting_dpa, length: extent.length })),
      }),
    );
  }),

  command('dynamic-capacity-add-reference', (context, { tag }) => {
    const dcd = dcdOf(deviceOf(context));
    const text = toHex(tag);
    if (text === NO_TAG || !tagsOf(dcd).includes(text) || dcd.references.has(text)) return refused(RC.invalidInput);
    dcd.references.add(text);
    dcd.tagGeneration = (dcd.tagGeneration + 1) >>> 0;
    return finished();
  }),

  // Without the last reference, capacity that no host holds is free again.
  command('dynamic-capacity-remove-reference', (context, { tag }) => {
    const dcd = dcdOf(deviceOf(context));
    const text = toHex(tag);
    if (!dcd.references.delete(text)) return refused(RC.invalidInput);
    dcd.kept = dcd.kept.filter((extent) => extent.tag !== text);
    dcd.tagGeneration = (dcd.tagGeneration + 1) >>> 0;
    return finished();
  }),

  command('dynamic-capacity-list-tags', (context, { starting_index, max_tags }) => {
    const dcd = dcdOf(deviceOf(context));
    const tags = tagsOf(dcd);
    if (starting_index > tags.length) return refused(RC.invalidInput);
    const most = Math.min(max_tags, room(context, 16, TAG_SIZE));
    return done({
      generation_number: dcd.tagGeneration,
      total_number_of_tags: tags.length,
      validity_bitmap: { reference_bitmap_valid: true, pending_reference_bitmap_valid: true },
      tag_information_list: tags.slice(starting_index, starting_index + most).map((tag) => tagValue(dcd, tag)),
    });
  }),
];

function deviceOf(context: Context): DeviceState {
  const { device } = context.target;
  if (device === undefined) throw new Error('a device command reached the switch');
  return device;
}

function outcome(returnCode: number) {
  return returnCode === RC.success ? finished() : refused(returnCode);
}

function inUse(dcd: DcdState, region: number): boolean {
  const offered = dcd.offers.flatMap((candidate) => candidate.extents);
  return [...dcd.hosts.flat(), ...offered, ...dcd.kept].some((extent) => extent.region === region);
}

/** The wire form of an extent. */
export function extentValue(extent: Extent) {
  return {
    starting_dpa: extent.dpa,
    length: extent.length,
    tag: fromHex(extent.tag) ?? new Uint8Array(16),
    shared_extent_sequence: extent.sequence,
  };
}

function tagValue(dcd: DcdState, tag: string) {
  const has = (extents: readonly Extent[]): boolean => extents.some((extent) => extent.tag === tag);
  const hosts = dcd.hosts.map((_, host) => host);
  return {
    tag: fromHex(tag) ?? new Uint8Array(16),
    flags: dcd.references.has(tag),
    reference_bitmap: hosts.filter((host) => has(dcd.hosts[host] ?? [])),
    pending_reference_bitmap: hosts.filter((host) =>
      dcd.offers.some((candidate) => candidate.kind === 'add' && candidate.host === host && has(candidate.extents)),
    ),
  };
}
