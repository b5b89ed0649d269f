import { isHigher } from './lockdown.ts';
import type { LockdownLevel, TaintAcknowledgement, TaintCount, TaintEntry, TaintLetter } from './types.ts';

/** The boot id of a register that was written while the id could not be read. */
export const UNKNOWN_BOOT = 'unknown';

/** Raisings kept of one bit on one path beside the first: the newest ones. All are counted. */
export const RECENT_KEPT = 8;
/** Paths of one bit below one port or VCS; further ones are raised on the port or VCS itself. */
export const MAX_SCOPES_PER_COMPONENT = 32;
/** Bits times paths of the whole register; further ones are raised on the switch. */
export const MAX_GROUPS = 512;

/** Longest texts kept, in UTF-16 units. The journal has the whole. */
const MAX_BY = 256;
const MAX_RECORD = 128;
const MAX_REASON = 512;

/** An entry of the ledger; every one is numbered. */
export type LedgerEntry = TaintEntry & { readonly ordinal: number };
/** An acknowledgement of the ledger; every one says how far it reaches. */
export type LedgerAcknowledgement = TaintAcknowledgement & { readonly upTo: number };

/** All raisings of one bit on one path for one device. */
export interface TaintGroup {
  readonly letter: TaintLetter;
  readonly scope: string;
  /** Device that was there when it was raised. */
  readonly serial: string;
  /** Boot of the last raising. */
  readonly bootId: string;
  readonly count: number;
  readonly first: LedgerEntry;
  /** The newest ones after the first, at most `RECENT_KEPT`. */
  readonly recent: readonly LedgerEntry[];
  /** The newest ones, at most `RECENT_KEPT`. */
  readonly acknowledgements: readonly LedgerAcknowledgement[];
}

/** One rise of the run-time lockdown level. */
export interface LevelChange {
  readonly level: LockdownLevel;
  readonly atMs: number;
  readonly by: string;
  readonly reason: string;
}

/** What the ledger file holds. */
export interface LedgerState {
  readonly bootId: string;
  readonly serial: string;
  /** Ordinal of the last raising. */
  readonly ordinal: number;
  readonly runTime: LockdownLevel;
  /** Rises in this boot, at most two. */
  readonly levelChanges: readonly LevelChange[];
  readonly groups: readonly TaintGroup[];
}

/** One raising before the register has numbered and placed it. */
export type Raising = Pick<TaintEntry, 'letter' | 'atMs' | 'by' | 'record' | 'scope' | 'reason'>;

/** A register in which nothing was ever raised. */
export function emptyState(bootId: string | undefined, serial: string): LedgerState {
  return { bootId: bootId ?? UNKNOWN_BOOT, serial, ordinal: 0, runTime: 'none', levelChanges: [], groups: [] };
}

/**
 * The register at a broker start. A new boot ends the run-time level and every bit but an unacknowledged F, which stays
 * with the serial it was raised for. Where either boot id is not known nothing is ended: a reboot has to be proved.
 */
export function carriedOver(state: LedgerState, bootId: string | undefined, serial: string): LedgerState {
  const sameBoot = bootId === undefined || state.bootId === UNKNOWN_BOOT || bootId === state.bootId;
  const now = bootId ?? state.bootId;
  if (!sameBoot) {
    const groups = state.groups.filter((group) => group.letter === 'F' && isOpen(group));
    return { ...state, bootId: now, serial, runTime: 'none', levelChanges: [], groups };
  }
  const groups = state.groups.map((group) => (group.bootId === state.bootId ? { ...group, bootId: now } : group));
  return { ...state, bootId: now, serial, groups };
}

/** True while the newest raising was not acknowledged. */
function isOpen(group: TaintGroup): boolean {
  const newest = group.recent.at(-1) ?? group.first;
  return !group.acknowledgements.some((given) => given.upTo >= newest.ordinal);
}

/** Bits of this boot, and those that stay with the device that is there now. */
export function visibleGroups(state: LedgerState): readonly TaintGroup[] {
  return state.groups.filter((group) => group.bootId === state.bootId || group.serial === state.serial);
}

/** The register with one more raising. `switchPath` is where it goes when there is no room for its own path. */
export function raised(state: LedgerState, raising: Raising, switchPath: string): LedgerState {
  const ordinal = state.ordinal + 1;
  const scope = scopeWithRoom(state, raising, switchPath);
  const entry: LedgerEntry = {
    letter: raising.letter,
    atMs: raising.atMs,
    by: clipped(raising.by, MAX_BY),
    record: clipped(raising.record, MAX_RECORD),
    scope,
    reason: clipped(raising.reason, MAX_REASON),
    ordinal,
    ...(scope === raising.scope ? {} : { raisedOn: raising.scope }),
  };
  const index = indexOf(state, entry.letter, scope);
  const old = state.groups[index];
  const { bootId, serial } = state;
  const group: TaintGroup =
    old === undefined
      ? { letter: entry.letter, scope, serial, bootId, count: 1, first: entry, recent: [], acknowledgements: [] }
      : { ...old, bootId, count: old.count + 1, recent: [...old.recent, entry].slice(-RECENT_KEPT) };
  const groups = old === undefined ? [...state.groups, group] : state.groups.with(index, group);
  return { ...state, ordinal, groups };
}

/**
 * Is the bit in force there already, raised in this boot and not acknowledged since? Then another raising changes nothing
 * but its count.
 */
export function isInForce(state: LedgerState, raising: Raising, switchPath: string): boolean {
  const group = state.groups[indexOf(state, raising.letter, scopeWithRoom(state, raising, switchPath))];
  return group !== undefined && group.bootId === state.bootId && isOpen(group);
}

function indexOf(state: LedgerState, letter: TaintLetter, scope: string): number {
  return state.groups.findIndex(
    (group) => group.letter === letter && group.scope === scope && group.serial === state.serial,
  );
}

/**
 * The raised path, or the nearest ancestor that has room. Widening restricts more, never less, and keeps the register
 * bounded whatever paths a broken device makes up.
 */
function scopeWithRoom(state: LedgerState, { letter, scope }: Raising, switchPath: string): string {
  if (indexOf(state, letter, scope) >= 0) return scope;
  if (state.groups.length >= MAX_GROUPS) return switchPath;
  const component = scope.split('/').slice(0, 5).join('/');
  if (component === scope) return scope;
  const beside = state.groups.filter((group) => group.letter === letter && group.scope.startsWith(`${component}/`));
  return beside.length < MAX_SCOPES_PER_COMPONENT ? scope : component;
}

function clipped(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}

/** The register with an acknowledgement of everything raised so far; undefined when the bit was never raised there. */
export function acknowledged(state: LedgerState, given: TaintAcknowledgement): LedgerState | undefined {
  const acknowledgement: LedgerAcknowledgement = {
    ...given,
    by: clipped(given.by, MAX_BY),
    reason: clipped(given.reason, MAX_REASON),
    upTo: state.ordinal,
  };
  const meant = new Set(
    visibleGroups(state).filter((group) => group.letter === given.letter && group.scope === given.scope),
  );
  if (meant.size === 0) return undefined;
  const groups = state.groups.map((group) =>
    meant.has(group)
      ? { ...group, acknowledgements: [...group.acknowledgements, acknowledgement].slice(-RECENT_KEPT) }
      : group,
  );
  return { ...state, groups };
}

/** The register with a higher run-time level; undefined when it is not higher. */
export function levelRaised(state: LedgerState, change: LevelChange): LedgerState | undefined {
  if (!isHigher(change.level, state.runTime)) return undefined;
  const kept = { ...change, by: clipped(change.by, MAX_BY), reason: clipped(change.reason, MAX_REASON) };
  return { ...state, runTime: change.level, levelChanges: [...state.levelChanges, kept] };
}

/** Entries, acknowledgements and counts of the visible groups, oldest first. */
export function contents(state: LedgerState): {
  readonly entries: readonly TaintEntry[];
  readonly acknowledgements: readonly TaintAcknowledgement[];
  readonly counts: readonly TaintCount[];
} {
  const groups = visibleGroups(state);
  return {
    entries: groups
      .flatMap((group) => [group.first, ...group.recent])
      .sort((left, right) => left.ordinal - right.ordinal),
    acknowledgements: groups.flatMap((group) => group.acknowledgements),
    counts: groups.map(({ letter, scope, count }) => ({ letter, scope, count })),
  };
}
