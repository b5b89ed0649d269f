import type { Ground } from './oracle-objects.ts';
import { ldOwner, type Ownership, portOwner, vcsOwner } from './oracle-ownership.ts';
import { type Terminal, uint } from './oracle-walk.ts';

/** Commands that no tenant can run anywhere, so that no CEL of his may list them. */
const NEVER_LISTED = [0x0105, 0x0106, 0x5104, 0x5105, 0x5700, 0x5701, 0x5801];
const CEL_LOG = '0da9c0b5bf414b788f7996b1623b3f17';

/**
 * What a reply tells a tenant about objects that are not his, read from the payload of the innermost layer by the
 * layouts of the reference. Empty: nothing.
 *
 * @param asked the command as the tenant sent it
 * @param reply payload of a reply with return code 0000h
 */
export function disclosedBy(
  tenant: string,
  asked: Terminal,
  reply: Uint8Array,
  own: Ownership,
  ground: Ground,
): readonly string[] {
  if (asked.kind === 'opaque') return reply.length === 0 ? [] : ['a command that cannot be read has a reply'];
  const view = new View(tenant, own, ground);
  const [port] = asked.path;
  if (port === undefined) return onSwitch(view, asked.opcode, asked.payload, reply);
  // What stands below an LD of his own is his.
  if (port.kind !== 'port' || asked.path[1]?.kind === 'ld') return [];
  return onDevice(view, port.id, asked.opcode, reply);
}

/** What one tenant may know of. */
class View {
  readonly tenant: string;
  readonly own: Ownership;
  readonly ground: Ground;

  constructor(tenant: string, own: Ownership, ground: Ground) {
    this.tenant = tenant;
    this.own = own;
    this.ground = ground;
  }

  ld(port: number, ld: number): boolean {
    return ldOwner(this.own, port, ld) === this.tenant;
  }

  wholePort(port: number): boolean {
    return portOwner(this.own, port) === this.tenant;
  }

  /** His port, or a port with an LD of his below it. */
  port(port: number): boolean {
    if (portOwner(this.own, port) === this.tenant) return true;
    const lds = this.own.ports.get(port) ?? 0;
    return Array.from({ length: lds }, (_, ld) => ld).some((ld) => this.ld(port, ld));
  }

  /** vPPBs of a VCS: as many as the file lists or the switch has. */
  vppbs(vcs: number): number {
    const there = [...this.ground.bindings.keys()].filter((key) => key.startsWith(`${vcs}.`)).length;
    return Math.max(there, this.own.vcss.get(vcs) ?? 0);
  }

  vcs(vcs: number): boolean {
    return vcsOwner(this.own, vcs) === this.tenant;
  }
}

function onSwitch(view: View, opcode: number, asked: Uint8Array, reply: Uint8Array): readonly string[] {
  switch (opcode) {
    case 0x0400:
    case 0x0405:
      return logs(reply);
    case 0x0401:
      return cel(asked, reply);
    case 0x5100:
      return identifySwitch(view, reply);
    case 0x5101:
      return ports(view, reply);
    case 0x5200:
      return vcss(view, asked, reply);
    default:
      return [];
  }
}

function identifySwitch(view: View, reply: Uint8Array): readonly string[] {
  const ports = bits(reply.subarray(4, 36));
  const vcss = bits(reply.subarray(36, 68));
  const vppbs = vcss.reduce((sum, vcs) => sum + view.vppbs(vcs), 0);
  const ingress = reply[0] ?? 0;
  return [
    ...ports.filter((port) => !view.port(port)).map((port) => `port ${port} in the bitmap`),
    ...vcss.filter((vcs) => !view.vcs(vcs)).map((vcs) => `vcs ${vcs} in the bitmap`),
    ...expect('number of ports', reply[2], ports.length),
    ...expect('number of VCSs', reply[3], vcss.length),
    ...(uint(reply, 68, 2) > vppbs ? [`${uint(reply, 68, 2)} vPPBs, his are at most ${vppbs}`] : []),
    ...(uint(reply, 70, 2) > uint(reply, 68, 2) ? ['more bound vPPBs than vPPBs'] : []),
    ...(ingress !== 0 && !view.port(ingress) ? [`ingress port ${ingress}`] : []),
  ];
}

function ports(view: View, reply: Uint8Array): readonly string[] {
  const found = expect('number of port blocks', reply[0], (reply.length - 4) / 16);
  const wrong: string[] = [...found];
  for (let at = 4; at + 16 <= reply.length; at += 16) {
    const port = reply[at] ?? 0;
    if (!view.port(port)) wrong.push(`block of port ${port}`);
  }
  return wrong;
}

/**
 * Sources differ on how many entries a window that does not begin at 0 has (D11): both readings are tried, and the one
 * that fits the length to the byte is judged.
 */
function vcss(view: View, asked: Uint8Array, reply: Uint8Array): readonly string[] {
  const [start = 0, limit = 0] = asked;
  const readings = [
    (total: number) => Math.min(limit, Math.max(0, total - start)),
    (total: number) => Math.min(limit, total),
  ];
  for (const entries of readings) {
    const blocks = vcsBlocks(reply, entries);
    if (blocks === undefined) continue;
    return blocks.flatMap(({ vcs, at, end }) => {
      const wrong = view.vcs(vcs) ? [] : [`block of vcs ${vcs}`];
      for (let entry = at; entry < end; entry += 4) wrong.push(...bound(view, vcs, reply, entry));
      return wrong;
    });
  }
  return ['the VCS blocks do not fit the length'];
}

function vcsBlocks(
  reply: Uint8Array,
  entries: (total: number) => number,
): readonly { readonly vcs: number; readonly at: number; readonly end: number }[] | undefined {
  const blocks: { vcs: number; at: number; end: number }[] = [];
  let at = 4;
  for (let i = 0; i < (reply[0] ?? 0); i++) {
    const end = at + 4 + entries(reply[at + 3] ?? 0) * 4;
    if (end > reply.length) return undefined;
    blocks.push({ vcs: reply[at] ?? 0, at: at + 4, end });
    at = end;
  }
  return at === reply.length ? blocks : undefined;
}

function bound(view: View, vcs: number, reply: Uint8Array, at: number): readonly string[] {
  const [status = 0, port = 0, ld = 0] = reply.subarray(at, at + 3);
  if (status === 0) return [];
  const his = status === 3 || (status === 1 && ld !== 0xff) ? view.ld(port, ld) : view.port(port);
  return his ? [] : [`vcs ${vcs} shows port ${port} LD ${ld}`];
}

function onDevice(view: View, port: number, opcode: number, reply: Uint8Array): readonly string[] {
  switch (opcode) {
    case 0x0400:
    case 0x0405:
      return view.wholePort(port) ? [] : logs(reply);
    case 0x5401:
      return positional(view, port, reply, { start: 2, count: 3, at: 4, width: 16, masks: [0] });
    case 0x5406:
    case 0x5408:
      return positional(view, port, reply, { start: 1, count: 0, at: 2, width: 1, masks: [0] });
    case 0x5500:
      return positional(view, port, reply, { start: 4, count: 5, at: 8, width: 1, masks: [0, 0xff] });
    case 0x5601:
      return view.wholePort(port) ? [] : leftOver(reply);
    case 0x5608:
      return tags(view, port, reply);
    default:
      return [];
  }
}

/** What is left must be all there is: less would tell of what others have. */
function leftOver(reply: Uint8Array): readonly string[] {
  const [extents, left, tags, leftTags] = [16, 12, 8, 4].map((back) => uint(reply, reply.length - back, 4));
  return [
    ...(extents === left ? [] : [`${left} of ${extents} extents are left`]),
    ...(tags === leftTags ? [] : [`${leftTags} of ${tags} tags are left`]),
  ];
}

function tags(view: View, port: number, reply: Uint8Array): readonly string[] {
  const wrong: string[] = [];
  for (let at = 16; at + 84 <= reply.length; at += 84) {
    const tag = hex(reply.subarray(at, at + 16));
    const owner = view.ground.tags?.get(`${port}/${tag}`);
    if (owner !== undefined && owner !== view.tenant) wrong.push(`tag ${tag} of ${owner}`);
    for (const host of [...bits(reply.subarray(at + 20, at + 52)), ...bits(reply.subarray(at + 52, at + 84))]) {
      if (!view.wholePort(port) && !view.ld(port, host)) wrong.push(`host ${host} has tag ${tag}`);
    }
  }
  return wrong;
}

interface Shape {
  readonly start: number;
  readonly count: number;
  readonly at: number;
  readonly width: number;
  /** Bytes that may stand in the place of what is not his. */
  readonly masks: readonly number[];
}

function positional(view: View, port: number, reply: Uint8Array, shape: Shape): readonly string[] {
  const start = reply[shape.start] ?? 0;
  const count = reply[shape.count] ?? 0;
  const wrong = reply.length === shape.at + count * shape.width ? [] : ['the list does not have as many as it counts'];
  for (let i = 0; i < count; i++) {
    if (view.ld(port, start + i)) continue;
    const entry = reply.subarray(shape.at + i * shape.width, shape.at + (i + 1) * shape.width);
    if (entry.some((byte) => !shape.masks.includes(byte))) wrong.push(`LD ${start + i} of port ${port}`);
  }
  return wrong;
}

function logs(reply: Uint8Array): readonly string[] {
  const wrong: string[] = [];
  for (let at = 8; at + 20 <= reply.length; at += 20) {
    const uuid = hex(reply.subarray(at, at + 16));
    if (uuid !== CEL_LOG) wrong.push(`log ${uuid}`);
  }
  return wrong;
}

function cel(asked: Uint8Array, reply: Uint8Array): readonly string[] {
  if (hex(asked.subarray(0, 16)) !== CEL_LOG) return reply.length === 0 ? [] : ['a log that is not the CEL'];
  // A read may begin in the middle of an entry: then the opcodes stand elsewhere and are left alone.
  if (uint(asked, 16, 4) % 4 !== 0) return [];
  const wrong: string[] = [];
  for (let at = 0; at + 4 <= reply.length; at += 4) {
    const opcode = uint(reply, at, 2);
    if (NEVER_LISTED.includes(opcode)) wrong.push(`the CEL lists ${opcode.toString(16)}h`);
  }
  return wrong;
}

function expect(what: string, found: number | undefined, right: number): string[] {
  return found === right ? [] : [`${what} is ${found}, not ${right}`];
}

/** Ids of the bits that are set. */
export function bits(bytes: Uint8Array): readonly number[] {
  const ids: number[] = [];
  bytes.forEach((byte, i) => {
    for (let bit = 0; bit < 8; bit++) if ((byte >> bit) & 1) ids.push(i * 8 + bit);
  });
  return ids;
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
