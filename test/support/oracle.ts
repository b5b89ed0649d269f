/**
 * An independent judge of isolation. It knows `fabric.yaml`, payload bytes and what the device says is bound; it shares
 * no code with the broker's decoder, resolver or filters. What it forbids must never happen, whatever a policy grants.
 */
import { type Ground, type Named, objectsOf } from './oracle-objects.ts';
import { ldOwner, type Ownership, portOwner } from './oracle-ownership.ts';
import { type Terminal, uint, walk } from './oracle-walk.ts';

export { type Bound, type Ground, type Named, objectsOf } from './oracle-objects.ts';
export { ldOwner, NOBODY, type Ownership, portOwner, readOwnership, vcsOwner, vppbOwner } from './oracle-ownership.ts';
export { bits, disclosedBy } from './oracle-replies.ts';
export { openReply, pathText, type Step, type Terminal, uint, walk } from './oracle-walk.ts';

export type Verdict = { readonly may: true } | { readonly may: false; readonly why: string };

/** May bytes that stand for a command of this tenant be on the wire? */
export function mayReach(tenant: string, opcode: number, payload: Uint8Array, own: Ownership, ground: Ground): Verdict {
  const wrong = objectsOf(walk(opcode, payload), own, ground).find((named) => !belongs(tenant, named));
  return wrong === undefined
    ? { may: true }
    : { may: false, why: `${wrong.kind} ${wrong.what}, which is ${wrong.owners.join(', ')}'s` };
}

function belongs(tenant: string, named: Named): boolean {
  return named.kind === 'share'
    ? named.owners.includes(tenant)
    : named.owners.every((owner) => owner === tenant) && named.owners.length > 0;
}

/** Reads that the broker makes for itself on the switch. */
const OWN_READS = new Set([0x0001, 0x0002, 0x0400, 0x0401, 0x5100, 0x5101, 0x5200]);
const IDENTIFY = 0x0001;
const LD_INFO = 0x5400;
const SUPPORTED_LOGS = 0x0400;
const GET_LOG = 0x0401;

/**
 * Could this request be a read of the broker's own while it served that command? Anything of the tenant's own kind is
 * laid at his door: the broker has no reason to read what he is asking for.
 */
export function isOwnRead(tenant: string, asked: Terminal, sent: Terminal, own: Ownership): boolean {
  if (sent.kind === 'opaque') return false;
  if (sent.path.length === 0) {
    if (asked.kind === 'terminal' && asked.path.length === 0 && asked.opcode === sent.opcode) return false;
    return OWN_READS.has(sent.opcode);
  }
  // Who is behind a port, and how many LDs that is: asked of all ports when something may have changed there.
  if (sent.path.length === 1 && (sent.opcode === IDENTIFY || sent.opcode === LD_INFO)) {
    const same = asked.kind === 'terminal' && JSON.stringify(asked.path) === JSON.stringify(sent.path);
    return !(same && asked.opcode === sent.opcode);
  }
  // A CEL below a port, read so that a command of this tenant on that very path can be decided.
  if (sent.opcode !== SUPPORTED_LOGS && sent.opcode !== GET_LOG) return false;
  if (JSON.stringify(asked.path.slice(0, sent.path.length)) !== JSON.stringify(sent.path)) return false;
  return maySeePath(tenant, sent, own);
}

function maySeePath(tenant: string, sent: Terminal, own: Ownership): boolean {
  const [port, second] = sent.path;
  if (port?.kind !== 'port') return false;
  if (second?.kind === 'ld') return ldOwner(own, port.id, second.id) === tenant;
  if (portOwner(own, port.id) === tenant) return true;
  const lds = own.ports.get(port.id) ?? 0;
  return Array.from({ length: lds }, (_, ld) => ldOwner(own, port.id, ld)).includes(tenant);
}

/** Reads the bindings of a switch from its 5100h and 5200h. */
export function readBindings(
  execute: (opcode: number, payload: Uint8Array) => { readonly returnCode: number; readonly payload: Uint8Array },
  vcss: Iterable<number>,
): Ground['bindings'] {
  const found = new Map<string, ReturnType<typeof boundOf>>();
  for (const vcs of vcss) {
    const { returnCode, payload } = execute(0x5200, Uint8Array.of(0, 255, 1, vcs));
    if (returnCode !== 0 || payload[4] !== vcs || payload[5] === 0xff) continue;
    for (let vppb = 0; vppb < (payload[7] ?? 0); vppb++) found.set(`${vcs}.${vppb}`, boundOf(payload, 8 + vppb * 4));
  }
  return found;
}

function boundOf(payload: Uint8Array, at: number) {
  const status = payload[at] ?? 0;
  if (status === 0) return 'unbound' as const;
  if (status === 1) return 'changing' as const;
  const ld = uint(payload, at + 2, 1);
  return { port: uint(payload, at + 1, 1), ld: status === 3 ? ld : undefined };
}
