import type { Topology } from '../client/index.ts';
import { type CommonFlags, connect } from './connection.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import type { Io } from './io.ts';
import { paint } from './paint.ts';
import { safe, safeJson } from './safe-text.ts';
import { table } from './table.ts';
import { UsageError } from './usage-error.ts';
import { instant } from './views.ts';

/** `cci topology show` */
export async function showTopology(io: Io, flags: CommonFlags): Promise<ExitCode> {
  const { client, json } = await connect(io, flags);
  print(io, await client.topology(), json);
  return EXIT.done;
}

/** `cci topology accept --reason TEXT`: takes the fabric as it is shown now. */
export async function acceptTopology(
  io: Io,
  flags: CommonFlags & { readonly reason?: string; readonly picture?: string },
): Promise<ExitCode> {
  if (flags.reason === undefined || flags.reason === '') {
    throw new UsageError('say why: the journal keeps it', 'give --reason "what moved and who did it"');
  }
  const { client, json } = await connect(io, flags);
  // What is accepted is what is there now, and nothing that happens after it was looked at.
  const picture = flags.picture ?? (await client.topology()).picture;
  print(io, await client.acceptTopology(flags.reason, picture), json);
  return EXIT.done;
}

function print(io: Io, topology: Topology, json: boolean): void {
  if (json) {
    io.out(`${safeJson(topology)}\n`);
    return;
  }
  const colours = paint(io);
  const { known, accepted, picture } = topology;
  const state = !known ? 'not known now' : accepted ? 'accepted' : 'moved without the broker';
  const head = `${safe(topology.switch)}: ${state}${picture === undefined ? '' : ` (picture ${safe(picture)})`}`;
  io.out(`${known && accepted ? colours.green(head) : colours.yellow(head)}\n`);
  const { ports, vcss, differences } = topology;
  if (ports.length > 0) {
    io.out(
      table(
        [
          { title: 'PORT', cell: (port) => port.id, align: 'right' },
          { title: 'ROLE', cell: (port) => port.role },
          { title: 'DEVICE', cell: (port) => (port.device === 'mld' ? `mld of ${port.lds}` : port.device) },
          { title: 'SERIAL', cell: (port) => port.serial ?? '-' },
        ],
        ports,
        colours,
      ),
    );
  }
  const slots = vcss.flatMap(({ id, usp, vppbs }) => vppbs.map((bound, vppb) => ({ vcs: id, usp, vppb, bound })));
  if (slots.length > 0) {
    io.out(
      table(
        [
          { title: 'VCS', cell: (slot) => slot.vcs, align: 'right' },
          { title: 'USP', cell: (slot) => slot.usp, align: 'right' },
          { title: 'VPPB', cell: (slot) => slot.vppb, align: 'right' },
          { title: 'BOUND TO', cell: (slot) => boundTo(slot.bound) },
        ],
        slots,
        colours,
      ),
    );
  }
  if (differences.length === 0) return;
  io.out(
    table(
      [
        { title: 'MOVED', cell: (one) => one.what },
        { title: 'WAS', cell: (one) => one.before },
        { title: 'IS', cell: (one) => one.after },
        { title: 'SEEN', cell: (one) => instant(one.atMs) },
      ],
      differences,
      colours,
    ),
  );
}

function boundTo({ kind, port, ld }: Topology['vcss'][number]['vppbs'][number]): string {
  if (port === undefined) return kind === 'unknown' ? 'not known' : kind;
  return ld === undefined ? `port ${port}` : `LD ${ld} of port ${port}`;
}
