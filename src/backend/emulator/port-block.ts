import { layout, structs } from '../../cci/index.ts';
import { L0 } from './build.ts';
import { encodeReply } from './command.ts';
import type { Machine } from './machine.ts';
import type { PortState } from './state.ts';

/** Bytes of a port information block. */
export const PORT_BLOCK_SIZE = 16;
const shape = layout(PORT_BLOCK_SIZE, PORT_BLOCK_SIZE, structs.portInfoBlock.fields);
/** Speeds up to and including each code of `link_speed`. */
const SPEED_FLAGS = ['gt_2_5', 'gt_5', 'gt_8', 'gt_16', 'gt_32', 'gt_64'] as const;

/**
 * The port information block of a port (16 bytes, 5101h). Encoding costs microseconds and 5101h is what monitors
 * poll, so the bytes are kept until the port changes; they are never written to afterwards.
 */
export function portBlock(machine: Machine, port: PortState): Uint8Array {
  const known = machine.portBlocks[port.id];
  if (known !== null && known !== undefined) return known;
  const block = encodeReply(shape, blockValue(machine, port), 'port block');
  machine.portBlocks[port.id] = block;
  return block;
}

function blockValue(machine: Machine, port: PortState): object {
  const device = machine.deviceAt(port);
  const up = port.ltssm === L0;
  const spec = device === undefined ? undefined : machine.specOf(device);
  const present = device !== undefined || port.role !== 'dsp';
  return {
    port_id: port.id,
    current_port_configuration_state: { state: configurationState(port), gae_support: false },
    connected_device_mode: present && up ? 'standard-256b-flit' : 'not-cxl-or-disconnected',
    connected_device_type: spec === undefined || !up ? 'none' : spec.kind === 'mld' ? 'type-3-mld' : 'type-3-sld',
    supported_cxl_modes: {
      rcd_mode: false,
      flit_68b_and_vh: true,
      flit_256b: true,
      latency_optimized_256b: false,
      pbr: false,
    },
    maximum_link_width: port.maximumWidth,
    negotiated_link_width: up ? port.negotiatedWidth : 0,
    supported_link_speeds_vector: Object.fromEntries(SPEED_FLAGS.map((flag, i) => [flag, i < port.maximumSpeed])),
    maximum_link_speed: port.maximumSpeed,
    current_link_speed: up ? port.maximumSpeed : 0,
    ltssm_state: port.ltssm,
    first_negotiated_lane_number: 0,
    link_state_flags: {
      lane_reversal: false,
      perst_asserted: port.perst,
      prsnt_present: present,
      power_control_off: port.powerOff,
    },
    supported_ld_count: device?.lds.length ?? 0,
  };
}

function configurationState(port: PortState): string {
  if (port.role === 'usp') return 'usp';
  if (port.role === 'fabric') return 'fabric-link';
  return port.transition === null ? 'dsp' : `${port.transition}-in-progress`;
}

/** What 5101h says of an id that is no port: state Fh, everything else without meaning. */
export function invalidPortBlock(id: number): Uint8Array {
  const block = new Uint8Array(PORT_BLOCK_SIZE);
  block[0] = id;
  block[1] = 0x0f;
  return block;
}
