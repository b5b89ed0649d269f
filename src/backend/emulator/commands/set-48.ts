import { RC } from '../../../cci/index.ts';
import { counters, dcdOf } from '../capacity.ts';
import { acceptSpans, releaseSpans } from '../capacity-hosts.ts';
import { type Command, type Context, command, done, finished, refused, room } from '../command.ts';
import type { DeviceState } from '../state.ts';
import { extentValue } from './set-56.ts';

const UNIT = 1n << 28n;
const EXTENT_SIZE = 40;
const REGIONS = 8;

/** Command set 48h: Dynamic Capacity, as a host sees it on its own device mailbox. */
export const set48: readonly Command[] = [
  command('get-dynamic-capacity-configuration', (context, { region_count, starting_region_index }) => {
    const device = deviceOf(context);
    const { regions } = dcdOf(device);
    if (starting_region_index >= regions.length) return refused(RC.invalidInput);
    const most = Math.min(region_count, REGIONS, room(context, 24, EXTENT_SIZE));
    return done({
      number_of_available_regions: regions.length,
      region_configurations: regions.slice(starting_region_index, starting_region_index + most).map((region, i) => ({
        region_base: region.base,
        region_decode_length: region.length / UNIT,
        region_length: region.length,
        region_block_size: region.blockBytes,
        dsmad_handle: starting_region_index + i,
        flags: region.sanitizeOnRelease,
      })),
      ...counters(context.machine, device),
    });
  }),

  command('get-dynamic-capacity-extent-list', (context, { extent_count, starting_extent_index }) => {
    const dcd = dcdOf(deviceOf(context));
    const host = hostOf(context);
    const extents = dcd.hosts[host] ?? [];
    if (starting_extent_index > extents.length) return refused(RC.invalidInput);
    const most = Math.min(extent_count, room(context, 16, EXTENT_SIZE));
    return done({
      total_extent_count: extents.length,
      extent_list_generation_number: dcd.listGeneration[host] ?? 0,
      extents: extents.slice(starting_extent_index, starting_extent_index + most).map(extentValue),
    });
  }),

  command('add-dynamic-capacity-response', (context, { flags, updated_extents }) => {
    const spans = updated_extents.map((extent) => ({ dpa: extent.starting_dpa, length: extent.length }));
    const returnCode = acceptSpans(context.machine, deviceOf(context), hostOf(context), spans, flags);
    return returnCode === RC.success ? finished() : refused(returnCode);
  }),

  command('release-dynamic-capacity', (context, { updated_extents }) => {
    const spans = updated_extents.map((extent) => ({ dpa: extent.starting_dpa, length: extent.length }));
    const returnCode = releaseSpans(context.machine, deviceOf(context), hostOf(context), spans);
    return returnCode === RC.success ? finished() : refused(returnCode);
  }),
];

function deviceOf(context: Context): DeviceState {
  const { device } = context.target;
  if (device === undefined) throw new Error('a device command reached the switch');
  return device;
}

/** Whose mailbox this is: an LD is host `n` of its device, the head of an SLD likewise. */
function hostOf(context: Context): number {
  const { ld, port } = context.target;
  if (ld !== undefined) return ld.id;
  return port === undefined ? 0 : (context.machine.port(port)?.head ?? 0);
}
