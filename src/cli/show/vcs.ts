import { type CommonFlags, connect } from '../connection.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { paint } from '../paint.ts';
import { safeJson } from '../safe-text.ts';
import { table } from '../table.ts';
import { candidates, list, type Members, number, owned, read, text } from './inventory.ts';

interface VppbLine {
  readonly vcs: Members;
  readonly vppb: Members;
  /** Undefined: the VCS has no vPPB. */
  readonly index: number | undefined;
}

/** `cci show vcs`: one line per vPPB */
export async function showVcs(io: Io, flags: CommonFlags): Promise<ExitCode> {
  const session = await connect(io, flags);
  const [identity, own] = [await read(session, 'identify-switch-device', {}), await owned(session)];
  const ids = candidates(identity.number_of_vcss, identity.active_vcs_bitmask, own.vcss);
  const params = { starting_vppb: 0, vppb_list_limit: 255, vcs_id_list: ids };
  const vcss =
    ids.length === 0 ? [] : list((await read(session, 'get-virtual-cxl-switch-info', params)).vcs_information_list);
  if (session.json) {
    io.out(`${safeJson(vcss)}\n`);
    return EXIT.done;
  }
  const lines: readonly VppbLine[] = vcss.flatMap((vcs): readonly VppbLine[] => {
    const vppbs = list(vcs.vppb_information_list);
    return vppbs.length === 0
      ? [{ vcs, vppb: {}, index: undefined }]
      : vppbs.map((vppb, index) => ({ vcs, vppb, index }));
  });
  io.out(
    table(
      [
        { title: 'VCS', cell: ({ vcs }) => number(vcs.vcs_id), align: 'right' },
        { title: 'STATE', cell: ({ vcs }) => text(vcs.vcs_state) },
        { title: 'USP', cell: ({ vcs }) => number(vcs.usp_id), align: 'right' },
        { title: 'VPPB', cell: ({ index }) => index, align: 'right' },
        { title: 'BINDING', cell: ({ vppb }) => text(vppb.binding_status) },
        { title: 'PORT', cell: ({ vppb }) => (isBound(vppb) ? number(vppb.bound_port_id) : undefined), align: 'right' },
        {
          title: 'LD',
          cell: ({ vppb }) => (vppb.binding_status === 'bound-to-ld' ? number(vppb.bound_ld_id) : undefined),
          align: 'right',
        },
      ],
      lines,
      paint(io),
    ),
  );
  return EXIT.done;
}

function isBound(vppb: Members): boolean {
  return typeof vppb.binding_status === 'string' && vppb.binding_status.startsWith('bound');
}
