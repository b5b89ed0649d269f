/**
 * What a command touches, as far as the order of commands is concerned. Paths are those of policy: a resource contains
 * whatever is below it.
 */
export type Footprint =
  /** A barrier: nothing else is under way with it. */
  | { readonly kind: 'everything' }
  | { readonly kind: 'resources'; readonly changes: boolean; readonly paths: readonly string[] };

export const everything: Footprint = { kind: 'everything' };

/**
 * How a command holds a node of the tree: as a resource that it touches, or as something above one.
 *
 * Commands that touch the same resource keep their order. Between a resource and what is below it only a command that
 * changes state has to.
 */
export type Hold = 'read' | 'change' | 'read-below' | 'change-below';

const mustWait: { readonly [H in Hold]: readonly Hold[] } = {
  read: ['read', 'change', 'change-below'],
  change: ['read', 'change', 'read-below', 'change-below'],
  'read-below': ['change'],
  'change-below': ['read', 'change'],
};

export function inOrder(one: Hold, other: Hold): boolean {
  return mustWait[one].includes(other);
}

/** Everything that a footprint holds: its resources and what is above them, up to the root, which is the empty path. */
export function holdsOf(footprint: Footprint): ReadonlyMap<string, Hold> {
  if (footprint.kind === 'everything') return new Map([['', 'change']]);
  const [touched, above] = footprint.changes
    ? (['change', 'change-below'] as const)
    : (['read', 'read-below'] as const);
  const holds = new Map<string, Hold>();
  const paths = footprint.paths.length === 0 ? [''] : footprint.paths;
  for (const path of paths) {
    holds.set(path, touched);
    for (let end = path.lastIndexOf('/'); end >= 0; end = path.lastIndexOf('/', end - 1)) {
      const node = path.slice(0, end);
      if (!holds.has(node)) holds.set(node, above);
      if (end === 0) break;
    }
  }
  // A resource that stands below another one of the same command was marked as what is above it.
  for (const path of paths) holds.set(path, touched);
  return holds;
}

/** Does one footprint hold all that another one would? */
export function covers(wide: Footprint, narrow: Footprint): boolean {
  if (wide.kind === 'everything') return true;
  if (narrow.kind === 'everything') return false;
  if (narrow.changes && !wide.changes) return false;
  const held = new Set(wide.paths);
  return narrow.paths.every((path) => held.has(path)) && (narrow.paths.length > 0 || wide.paths.length === 0);
}
