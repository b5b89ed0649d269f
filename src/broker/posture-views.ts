import { FABRIC_TENANT, type Fabric, type Principal, type ResourcePath } from '../policy/index.ts';
import {
  isAcknowledged,
  type Posture,
  type TaintEntry,
  type TaintLetter,
  taintBits,
  taintLetters,
  taintMask,
} from '../taint/index.ts';
import type { PostureAnswer, TaintAnswer } from './core-api.ts';

/** What freezes whoever is below it (T rows), and what the broker says of itself: everybody on the switch may know. */
const FOR_ALL: ReadonlySet<TaintLetter> = new Set(['X', 'M', 'A', 'B']);

/**
 * The register of one switch as a caller may see it. Operators see all of it; a tenant what was raised on his own, and
 * the letters that freeze him from above. Which other bits others have raised there would tell him what they do.
 */
export function taintSeen(name: string, { taint }: Posture, principal: Principal, fabric: Fabric): TaintAnswer {
  if (principal.tenant === FABRIC_TENANT) {
    return { switch: name, mask: taint.mask, letters: taint.letters, entries: taint.entries.map(shown) };
  }
  const own = taint.entries.filter(({ scope }) => fabric.ownerOf(scope as ResourcePath) === principal.tenant);
  const above = taint.entries.filter(
    ({ letter, scope }) => FOR_ALL.has(letter) && hasBelow(fabric, principal.tenant, scope),
  );
  const mask = taintMask([...own, ...above].map(({ letter }) => letter));
  return {
    switch: name,
    mask,
    letters: taintLetters(mask),
    // How often the register was raised in all tells of others.
    entries: own.map((entry) => {
      const { ordinal: _, ...rest } = shown(entry) as TaintAnswer['entries'][number] & { readonly ordinal?: number };
      return rest;
    }),
  };

  function shown(entry: TaintEntry): TaintAnswer['entries'][number] {
    const bit = taintBits.find((row) => row.letter === entry.letter);
    return { ...entry, bit: bit?.bit ?? -1, meaning: bit?.meaning ?? '', acknowledged: isAcknowledged(entry, taint) };
  }
}

/** Lockdown, options and taint of one switch. */
export function postureSeen(name: string, posture: Posture, principal: Principal, fabric: Fabric): PostureAnswer {
  const { lockdown, profile, rawCommands, rawAllowAll, underLockdown } = posture;
  const { mask, letters } = taintSeen(name, posture, principal, fabric);
  return { switch: name, profile, lockdown, rawCommands, rawAllowAll, underLockdown, taint: { mask, letters } };
}

/** Is anything of the tenant's at the path or below it? */
function hasBelow(fabric: Fabric, tenant: string, scope: string): boolean {
  return fabric.objects.some(
    (path) => (path === scope || path.startsWith(`${scope}/`)) && fabric.ownerOf(path) === tenant,
  );
}
