import { type TaintLetter, taintBits } from '../../taint/index.ts';
import type { Binding, ResourcePath } from '../types.ts';

// How people write state, in suites and on the command line.

const ID = '(0|[1-9][0-9]{0,2})';
const PAIR = new RegExp(`^${ID}/${ID}$`);
const ONE_OR_PAIR = new RegExp(`^${ID}(?:/${ID})?$`);

/** `0/2`: vPPB 2 of VCS 0. */
export function parseSlot(text: string): { readonly vcs: number; readonly vppb: number } | undefined {
  const [, vcs, vppb] = PAIR.exec(text) ?? [];
  return vcs === undefined ? undefined : { vcs: Number(vcs), vppb: Number(vppb) };
}

/** `2`: port 2; `3/1`: LD 1 behind port 3; `unbound`; `unknown`. */
export function parseBinding(text: string): Binding | undefined {
  if (text === 'unbound' || text === 'unknown') return { kind: text };
  const [, port, ld] = ONE_OR_PAIR.exec(text) ?? [];
  if (port === undefined) return undefined;
  return ld === undefined ? { kind: 'port', port: Number(port) } : { kind: 'ld', port: Number(port), ld: Number(ld) };
}

/** `X`: on the switch as a whole; `X@/switches/sw0/ports/3`: on one subtree. */
export function parseTaint(
  text: string,
  switchName: string,
): { readonly letter: TaintLetter; readonly scope: ResourcePath } | undefined {
  const [word, path, ...more] = text.split('@');
  const letter = taintBits.find((bit) => bit.letter === word)?.letter;
  if (letter === undefined || more.length > 0) return undefined;
  const scope: ResourcePath = `/switches/${switchName}`;
  if (path === undefined) return { letter, scope };
  return path === scope || path.startsWith(`${scope}/`) ? { letter, scope: path as ResourcePath } : undefined;
}
