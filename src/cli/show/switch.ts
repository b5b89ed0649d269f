import { type CommonFlags, connect } from '../connection.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { paint } from '../paint.ts';
import { safeJson } from '../safe-text.ts';
import { facts } from '../table.ts';
import { numbers, read, text } from './inventory.ts';

/** `cci show switch` */
export async function showSwitch(io: Io, flags: CommonFlags): Promise<ExitCode> {
  const session = await connect(io, flags);
  const seen = (await session.client.switches()).find((one) => one.name === session.switch);
  const identity = await read(session, 'identify-switch-device', {});
  if (session.json) {
    io.out(`${safeJson({ switch: session.switch, backend: seen?.backend, state: seen?.state, ...identity })}\n`);
    return EXIT.done;
  }
  io.out(
    facts(
      [
        ['switch', session.switch],
        ['backend', seen?.backend],
        ['state', seen?.state],
        ['ingress port', text(identity.ingress_port_id)],
        ['physical ports', text(identity.number_of_physical_ports)],
        ['active ports', numbers(identity.active_port_bitmask).join(', ')],
        ['VCSs', text(identity.number_of_vcss)],
        ['active VCSs', numbers(identity.active_vcs_bitmask).join(', ')],
        ['vPPBs', text(identity.total_number_of_vppbs)],
        ['bound vPPBs', text(identity.number_of_bound_vppbs)],
        ['HDM decoders', text(identity.number_of_hdm_decoders)],
      ],
      paint(io),
    ),
  );
  return EXIT.done;
}
