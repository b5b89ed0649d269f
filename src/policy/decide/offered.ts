import { type Hop, hex16, type Support, TUNNEL_OPCODE } from '../../cci/index.ts';
import type { Reason, TopologyView } from '../types.ts';
import { isVirtual, type RawCause } from './classify.ts';
import { reason } from './reason.ts';
import type { Shape } from './structure.ts';
import type { PathEnd } from './terminal.ts';

/** Support marks that prohibit: always, unless the mailbox doubles as a GAE (which none of ours does), on mailboxes. */
const prohibitions: ReadonlySet<string> = new Set(['P', 'P4', 'PMB']);

/** R4: kept for the broker itself; binds raw commands too, unlike the kernel's bitmap. */
export function exclusiveReasons(shape: Shape, cause: RawCause | undefined): readonly Reason[] {
  const { row, opcode } = shape;
  if (row?.claimed === undefined || isVirtual(shape, cause)) return [];
  return [reason('exclusive', 'EBUSY', 'R4', `${hex16(opcode)} is kept by the broker: ${row.claimed}`)];
}

/** Section 2, "not offered to anybody"; operators and raw commands are somebody. */
export function offeredReasons(
  shape: Shape,
  topology: TopologyView,
  end: PathEnd,
  cause: RawCause | undefined,
): readonly Reason[] {
  const { row, opcode, hops } = shape;
  const refuse = (rule: string, text: string): Reason => reason('offered', 'ENOTTY', rule, `${hex16(opcode)} ${text}`);
  const reasons: Reason[] = [];
  if (row?.notOffered !== undefined) reasons.push(refuse('offered', row.notOffered));
  if (row !== undefined && !end.unknown && !row.executesOn.includes(end.component)) {
    reasons.push(refuse('offered', `is not a command of this component (${end.component})`));
  }
  if (row !== undefined && prohibitions.has(supportMark(row.support, hops, topology))) {
    reasons.push(refuse('offered', 'is prohibited on the CCI that would execute it'));
  }
  // The mandatory row Q says the same with the device's own words; this holds where somebody took the row out.
  // Quirks are the switch's own: behind a tunnel another component executes the opcode.
  // What the broker answers itself is not sent.
  const quirk = isVirtual(shape, cause) ? undefined : topology.neverSend.get(hops.length > 0 ? TUNNEL_OPCODE : opcode);
  if (quirk !== undefined) reasons.push(refuse('quirk', `must never be sent to this device: ${quirk}`));
  return reasons;
}

/** What is behind a tunnel is reached by its MCTP CCI; a switch by whichever of its own the broker holds. */
function supportMark(support: Support, hops: readonly Hop[], topology: TopologyView): string {
  if (hops.length > 0) return support.type3Mctp;
  return topology.switchCci === 'host-mailbox' ? support.switchHostMailbox : support.switchFmInterface;
}
