import { formatVia, type Hop, hex16, TUNNEL_OPCODE } from '../../cci/index.ts';
import type { Reason, TopologyView } from '../types.ts';
import { reason } from './reason.ts';
import type { Shape } from './structure.ts';

/** Enabled wherever there is a CEL at all: without them no CEL could be read (R3). */
const forceEnabled: ReadonlySet<number> = new Set([0x0400, 0x0401]);

export interface CelGate {
  readonly reasons: readonly Reason[];
  /** The first component on the path whose CEL was not read yet. */
  readonly unread?: readonly Hop[];
}

/**
 * R3, for raw commands as well: the innermost opcode must be in the CEL of the component that executes it, and every
 * layer of the tunnel needs 5300h in the CEL of the component that opens it.
 */
export function celGate(shape: Shape, topology: TopologyView): CelGate {
  const reasons: Reason[] = [];
  let unread: readonly Hop[] | undefined;
  for (let depth = 0; depth <= shape.hops.length; depth++) {
    const hops = shape.hops.slice(0, depth);
    const opcode = depth === shape.hops.length ? shape.opcode : TUNNEL_OPCODE;
    const cel = topology.cel(hops);
    if (cel === undefined) {
      unread ??= hops;
      reasons.push(reason('cel', 'ENOTTY', 'R3', `the CEL of ${place(hops)} was not read yet`));
    } else if (!cel.has(opcode) && !forceEnabled.has(opcode)) {
      reasons.push(reason('cel', 'ENOTTY', 'R3', `${hex16(opcode)} is not in the CEL of ${place(hops)}`));
    }
  }
  return unread === undefined ? { reasons } : { reasons, unread };
}

function place(hops: readonly Hop[]): string {
  return hops.length === 0 ? 'the switch' : formatVia(hops);
}
