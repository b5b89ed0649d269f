import { RC } from '../../../cci/index.ts';
import { L0 } from '../build.ts';
import { type Command, type Context, command, done, refused, room } from '../command.ts';
import type { DeviceState, PortState } from '../state.ts';

const NO_HEAD = 0xff;

/** Command set 55h: Multi-Headed Devices. */
export const set55: readonly Command[] = [
  command('get-multi-headed-info', (context, { start_ld_id, ld_map_list_limit }) => {
    const device = deviceOf(context);
    const map = headMap(context, device);
    if (start_ld_id >= map.length) return refused(RC.invalidInput);
    const limit = Math.min(ld_map_list_limit, room(context, 8, 1));
    return done({
      number_of_lds: map.length,
      number_of_heads: context.machine.specOf(device).heads,
      start_ld_id,
      ld_map: map.slice(start_ld_id, start_ld_id + limit),
    });
  }),

  command('get-head-info', (context, { start_head, number_of_heads }) => {
    const device = deviceOf(context);
    const { heads } = context.machine.specOf(device);
    if (number_of_heads === 0 || start_head >= heads) return refused(RC.invalidInput);
    const listed = Math.min(number_of_heads, heads - start_head, room(context, 4, 9));
    return done({
      head_information_list: Array.from({ length: listed }, (_, i) =>
        headInfo(start_head + i, portOfHead(context, device, start_head + i)),
      ),
    });
  }),
];

function deviceOf(context: Context): DeviceState {
  if (context.target.device === undefined) throw new Error('a device command reached the switch');
  return context.target.device;
}

/** The head behind which each LD is used: of the port it is bound through. An SLD has one LD per head. */
function headMap(context: Context, device: DeviceState): readonly number[] {
  if (device.lds.length === 0) return Array.from({ length: context.machine.specOf(device).heads }, (_, i) => i);
  return device.lds.map((ld) => (ld.bound === null ? NO_HEAD : (context.machine.port(ld.bound.port)?.head ?? NO_HEAD)));
}

function portOfHead(context: Context, device: DeviceState, head: number): PortState | undefined {
  return context.machine.state.ports.find((port) => port?.device === device.index && port.head === head) ?? undefined;
}

/** A head that is plugged into no port of this switch shows a link in Detect. */
function headInfo(head: number, port: PortState | undefined) {
  const up = port?.ltssm === L0;
  const speed = port?.maximumSpeed ?? 5;
  return {
    port_number: head,
    maximum_link_width: port?.maximumWidth ?? 16,
    negotiated_link_width: up ? port.negotiatedWidth : 0,
    supported_link_speeds_vector: 2 ** speed - 1,
    maximum_link_speed: speed,
    current_link_speed: up ? speed : 0,
    ltssm_state: port?.ltssm ?? 0,
    first_negotiated_lane_number: 0,
    link_state_flags: port?.perst === true ? 2 : 0,
  };
}
