import { type CommonFlags, connect, type Session } from '../connection.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { paint } from '../paint.ts';
import { safeJson } from '../safe-text.ts';
import { table } from '../table.ts';
import { candidates, list, type Members, members, number, owned, read, text } from './inventory.ts';

/** Port information blocks of all ports that the caller can see. */
export async function readPorts(session: Session): Promise<readonly Members[]> {
  const [identity, own] = [await read(session, 'identify-switch-device', {}), await owned(session)];
  const ids = candidates(identity.number_of_physical_ports, identity.active_port_bitmask, own.ports);
  if (ids.length === 0) return [];
  const state = await read(session, 'get-physical-port-state', { port_id_list: ids });
  return list(state.port_information_list);
}

/** `cci show ports` */
export async function showPorts(io: Io, flags: CommonFlags): Promise<ExitCode> {
  const session = await connect(io, flags);
  const ports = await readPorts(session);
  io.out(
    session.json
      ? `${safeJson(ports)}\n`
      : table(
          [
            { title: 'PORT', cell: (port) => number(port.port_id), align: 'right' },
            { title: 'STATE', cell: (port) => text(members(port.current_port_configuration_state).state) },
            { title: 'DEVICE', cell: (port) => text(port.connected_device_type) },
            { title: 'LDS', cell: (port) => number(port.supported_ld_count), align: 'right' },
            { title: 'LINK', cell: (port) => text(port.ltssm_state) },
            { title: 'WIDTH', cell: width, align: 'right' },
            { title: 'SPEED', cell: (port) => text(port.current_link_speed) },
            { title: 'MODE', cell: (port) => text(port.connected_device_mode) },
            { title: 'FLAGS', cell: flagsOf },
          ],
          ports,
          paint(io),
        ),
  );
  return EXIT.done;
}

function width(port: Members): string {
  return `x${text(port.negotiated_link_width) ?? '?'}/x${text(port.maximum_link_width) ?? '?'}`;
}

const LINK_FLAGS: readonly (readonly [member: string, shown: string])[] = [
  ['perst_asserted', 'perst'],
  ['lane_reversal', 'reversed'],
  ['power_control_off', 'power-off'],
];

function flagsOf(port: Members): string {
  const flags = members(port.link_state_flags);
  return LINK_FLAGS.filter(([member]) => flags[member] === true)
    .map(([, shown]) => shown)
    .join(' ');
}
