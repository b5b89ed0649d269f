import { ldBytes } from './ld-memory.ts';
import type { Machine } from './machine.ts';
import { type MediaState, newMedia } from './media-state.ts';
import type { Target } from './targets.ts';

/** Static capacity of the memory behind a target, in bytes; that of the whole device for a FM-owned LD. */
export function capacityOf(machine: Machine, target: Target): bigint {
  if (target.device === undefined) return 0n;
  const spec = machine.specOf(target.device);
  return target.ld === undefined ? spec.capacityBytes : ldBytes(spec.granularity, target.ld);
}

/** Persistent share at first power-on: that of the device, and nothing for a single LD. */
export function persistentOf(machine: Machine, target: Target): bigint {
  if (target.device === undefined || target.ld !== undefined) return 0n;
  return machine.specOf(target.device).persistentBytes;
}

/** State of the media behind a target, made when first touched. */
export function mediaOf(machine: Machine, target: Target): MediaState {
  const holder = target.ld ?? target.device;
  if (holder === undefined) throw new Error(`${target.kind} has no media`);
  holder.media ??= newMedia(capacityOf(machine, target), persistentOf(machine, target));
  return holder.media;
}

const MEDIA_DISABLED = 0x0007;
const INVALID_SECURITY_STATE = 0x0013;
export const INVALID_ADDRESS = 0x000f;

export function lsaBytes(machine: Machine, target: Target): number {
  return target.device === undefined ? 0 : machine.specOf(target.device).lsaBytes;
}

/** Why the media cannot be touched now: 0007h while they are sanitized, 0013h while they are locked. */
export function mediaRefusal(target: Target): number | undefined {
  const job = target.cci.background?.job.kind;
  if (job === 'sanitize' || job === 'media') return MEDIA_DISABLED;
  const media = (target.ld ?? target.device)?.media;
  return media?.security.locked === true ? INVALID_SECURITY_STATE : undefined;
}

/** Does a DPA range lie in the media? Compared without adding, so that nothing wraps at 2^64. */
export function inside(capacity: bigint, address: bigint, length: bigint): boolean {
  return address <= capacity && length <= capacity - address;
}

/** Everything of value is gone: poison with it, and the labels of secure-erased media. */
export function erase(media: MediaState): void {
  media.poison.clear();
  media.poisonOverflow = null;
  media.poisonCursor = null;
  media.scan = null;
}

/** Poisoned lines of a range, ascending. */
export function poisoned(media: MediaState, from: bigint, length: bigint): readonly bigint[] {
  return [...media.poison.keys()]
    .filter((line) => line >= from && line - from < length)
    .sort((a, b) => (a < b ? -1 : 1));
}
