import { NO_LD, RC } from '../../cci/index.ts';
import { finishBackground, startBackground } from './background.ts';
import { emit, LOG } from './events.ts';
import type { Machine } from './machine.ts';
import type { LdState, PortState, VppbState } from './state.ts';

/** Byte that 5200h shows in place of an LD id. */
const NOT_AN_LD = 0xff;
const STATUS = { unbound: 0, 'in-progress': 1, port: 2, ld: 3 } as const;

/** The four bytes of each vPPB in 5200h, kept until the VCS changes. */
export function vppbEntries(machine: Machine, vcs: number): Uint8Array {
  const known = machine.vppbBlocks[vcs];
  if (known !== null && known !== undefined) return known;
  const vppbs = machine.vcs(vcs)?.vppbs ?? [];
  const entries = new Uint8Array(vppbs.length * 4);
  vppbs.forEach((vppb, i) => {
    entries[i * 4] = STATUS[vppb.status];
    entries[i * 4 + 1] = vppb.status === 'unbound' ? 0 : vppb.port;
    entries[i * 4 + 2] = vppb.ld ?? NOT_AN_LD;
  });
  machine.vppbBlocks[vcs] = entries;
  return entries;
}

/** How many vPPBs there are, and how many of them are bound. */
export function vppbCounts(machine: Machine): { readonly total: number; readonly bound: number } {
  let total = 0;
  let bound = 0;
  for (const vcs of machine.state.vcss) {
    if (vcs === null) continue;
    total += vcs.vppbs.length;
    for (const vppb of vcs.vppbs) if (vppb.status === 'port' || vppb.status === 'ld') bound++;
  }
  return { total, bound };
}

interface Place {
  readonly port: PortState;
  readonly ld: LdState | undefined;
}

/** The port, or the LD on it, that may be bound; undefined where the ids name nothing that can be. */
function placeOf(machine: Machine, portId: number, ldId: number | null): Place | undefined {
  const port = machine.port(portId);
  if (port?.role !== 'dsp') return undefined;
  const lds = machine.deviceAt(port)?.lds ?? [];
  if (ldId === null) return lds.length === 0 ? { port, ld: undefined } : undefined;
  const ld = lds[ldId];
  return ld === undefined ? undefined : { port, ld };
}

function free(place: Place): boolean {
  return place.ld === undefined ? place.port.bound === null && place.port.transition === null : place.ld.bound === null;
}

/** Bind vPPB (5201h): checks, takes the slot, marks both sides as changing. @returns the return code */
export function startBind(machine: Machine, vcsId: number, vppbId: number, portId: number, ldId: number): number {
  const vppb = machine.vcs(vcsId)?.vppbs[vppbId];
  const ld = ldId === NO_LD ? null : ldId;
  const place = placeOf(machine, portId, ld);
  if (vppb === undefined || place === undefined) return RC.invalidInput;
  const { cci } = machine.state;
  if (cci.background !== null) return RC.busy;
  if (vppb.status !== 'unbound' || !free(place)) return RC.invalidInput;
  vppb.status = 'in-progress';
  vppb.port = portId;
  vppb.ld = ld;
  if (ld === null) setTransition(machine, place.port, 'bind');
  machine.vcsChanged(vcsId);
  return startBackground(machine, cci, 0x5201, machine.options.timing.bindMs, {
    kind: 'bind',
    vcs: vcsId,
    vppb: vppbId,
    port: portId,
    ld,
  });
}

/** The end of a bind. It fails where the port or LD was taken in the meantime. */
export function endBind(machine: Machine, vcsId: number, vppbId: number, portId: number, ldId: number | null): number {
  const vppb = machine.vcs(vcsId)?.vppbs[vppbId];
  const place = placeOf(machine, portId, ldId);
  if (vppb === undefined) return RC.internalError;
  if (place !== undefined && ldId === null) setTransition(machine, place.port, null);
  const taken = place === undefined || !free(place) || vppb.status !== 'in-progress';
  if (taken) {
    if (vppb.status === 'in-progress') clear(vppb);
    machine.vcsChanged(vcsId);
    bindingEvent(machine, vcsId, vppbId, false);
    return RC.internalError;
  }
  setBound(machine, vcsId, vppbId, place);
  bindingEvent(machine, vcsId, vppbId, true);
  return RC.success;
}

/** Makes a binding at once: INVARIANT: a port or LD is bound to at most one vPPB, and each names the other. */
function setBound(machine: Machine, vcsId: number, vppbId: number, place: Place): void {
  const vppb = machine.vcs(vcsId)?.vppbs[vppbId];
  if (vppb === undefined) return;
  vppb.status = place.ld === undefined ? 'port' : 'ld';
  vppb.port = place.port.id;
  vppb.ld = place.ld?.id ?? null;
  if (place.ld === undefined) place.port.bound = { vcs: vcsId, vppb: vppbId };
  else place.ld.bound = { port: place.port.id, vcs: vcsId, vppb: vppbId };
  machine.vcsChanged(vcsId);
}

/** Unbind vPPB (5202h). Option 0 waits for the link to go down, which only the host can bring about. */
export function startUnbind(
  machine: Machine,
  vcsId: number,
  vppbId: number,
  option: 'wait-for-link-down' | 'managed-hot-remove' | 'surprise-hot-remove',
): number {
  const vppb = machine.vcs(vcsId)?.vppbs[vppbId];
  if (vppb === undefined) return RC.invalidInput;
  const { cci } = machine.state;
  if (cci.background !== null) return RC.busy;
  if (vppb.status !== 'port' && vppb.status !== 'ld') return RC.invalidInput;
  const port = machine.port(vppb.port);
  if (vppb.status === 'port' && port !== undefined) setTransition(machine, port, 'unbind');
  vppb.status = 'in-progress';
  machine.vcsChanged(vcsId);
  const { timing } = machine.options;
  const waits = option === 'wait-for-link-down';
  // A link that is down already keeps nobody waiting.
  const durationMs = waits && port?.ltssm === 4 ? timing.hostReleaseMs : timing.unbindMs;
  return startBackground(machine, cci, 0x5202, durationMs, {
    kind: 'unbind',
    vcs: vcsId,
    vppb: vppbId,
    waitsForLinkDown: waits,
  });
}

export function endUnbind(machine: Machine, vcsId: number, vppbId: number): number {
  const vppb = machine.vcs(vcsId)?.vppbs[vppbId];
  if (vppb?.status !== 'in-progress') {
    bindingEvent(machine, vcsId, vppbId, false);
    return RC.internalError;
  }
  release(machine, vcsId, vppbId, vppb);
  bindingEvent(machine, vcsId, vppbId, true);
  return RC.success;
}

function release(machine: Machine, vcsId: number, vppbId: number, vppb: VppbState): void {
  const port = machine.port(vppb.port);
  if (port !== undefined) {
    const ld = vppb.ld === null ? undefined : machine.deviceAt(port)?.lds[vppb.ld];
    if (ld?.bound?.vcs === vcsId && ld.bound.vppb === vppbId) ld.bound = null;
    if (port.bound?.vcs === vcsId && port.bound.vppb === vppbId) port.bound = null;
    if (vppb.ld === null) setTransition(machine, port, null);
  }
  clear(vppb);
  machine.vcsChanged(vcsId);
}

function clear(vppb: VppbState): void {
  vppb.status = 'unbound';
  vppb.port = 0;
  vppb.ld = null;
}

function setTransition(machine: Machine, port: PortState, transition: PortState['transition']): void {
  port.transition = transition;
  machine.portChanged(port.id);
}

/** The host lets go of a link: an unbind that waits for it goes on. */
export function linkReleased(machine: Machine, portId: number): void {
  const { cci } = machine.state;
  const job = cci.background?.job;
  if (job?.kind !== 'unbind' || !job.waitsForLinkDown) return;
  if (machine.vcs(job.vcs)?.vppbs[job.vppb]?.port === portId) finishBackground(machine, cci);
}

/**
 * Binds or unbinds with no command and no event: what happens when somebody else has the switch too.
 *
 * @returns false where the ids name nothing that can be changed so
 */
export function bindBehindBack(
  machine: Machine,
  vcsId: number,
  vppbId: number,
  portId: number,
  ld: number | null,
): boolean {
  const vppb = machine.vcs(vcsId)?.vppbs[vppbId];
  const place = placeOf(machine, portId, ld);
  if (vppb?.status !== 'unbound' || place === undefined || !free(place)) return false;
  setBound(machine, vcsId, vppbId, place);
  return true;
}

export function unbindBehindBack(machine: Machine, vcsId: number, vppbId: number): boolean {
  const vppb = machine.vcs(vcsId)?.vppbs[vppbId];
  if (vppb?.status !== 'port' && vppb?.status !== 'ld') return false;
  release(machine, vcsId, vppbId, vppb);
  return true;
}

function bindingEvent(machine: Machine, vcsId: number, vppbId: number, success: boolean): void {
  const vppb = machine.vcs(vcsId)?.vppbs[vppbId];
  if (vppb === undefined) return;
  emit(machine, machine.state.cci, success ? LOG.informational : LOG.warning, {
    kind: 'virtual-switch',
    vcs: vcsId,
    vppb: vppbId,
    type: 'binding-change',
    status: STATUS[vppb.status],
    port: vppb.port,
    ld: vppb.ld ?? NOT_AN_LD,
  });
}

/** May the fabric manager reach behind the host's back here? Only where no host is bound (D26). */
export function boundToHost(port: PortState, ld: LdState | undefined): boolean {
  return ld === undefined ? port.bound !== null || port.transition !== null : ld.bound !== null;
}
