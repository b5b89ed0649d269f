import { ldOwner, NOBODY, type Ownership, portOwner, vcsOwner, vppbOwner } from './oracle-ownership.ts';
import { type Terminal, uint } from './oracle-walk.ts';

/** What the device itself says is there at this moment. */
export interface Ground {
  /** LDs of the device behind a port, 0 for an SLD; undefined where nothing is plugged in. */
  readonly devices: ReadonlyMap<number, number>;
  /** `vcs.vppb` to what is bound there; a vPPB that changes hands is `changing`. */
  readonly bindings: ReadonlyMap<string, Bound>;
  /** `port/tag`, the tag in hex, to the tenant in whose turn it first was there. */
  readonly tags?: ReadonlyMap<string, string>;
}
export type Bound = { readonly port: number; readonly ld: number | undefined } | 'unbound' | 'changing';

/**
 * One object that a command names or implies, with whom it belongs to.
 * - `touch`: everything in it must be the caller's
 * - `disturb`: so too, but it is not named: a host that uses what is named
 * - `share`: a read that every owner of a part may make
 */
export interface Named {
  readonly kind: 'touch' | 'disturb' | 'share';
  readonly what: string;
  readonly owners: readonly string[];
}

const NO_LD = 0xffff;
const CEL_LOG = '0da9c0b5bf414b788f7996b1623b3f17';

/**
 * Of the switch itself: reads that carry nothing of anybody, or only what a filter or the broker answers for each tenant;
 * and 0005h, which a tenant may send while the operation that runs is his own (tested where one runs).
 */
const OPEN_ON_SWITCH = new Set([0x0001, 0x0002, 0x0003, 0x0005, 0x0300, 0x0400, 0x0402, 0x0405, 0x5100]);
/** Reads of a shared device that name no LD: one LD on it is enough. 0401h only for the CEL. */
const OPEN_ON_MLD = new Set([0x0001, 0x0400, 0x5400, 0x5403, 0x5405, 0x5600, 0x5608]);
/** Reads: whoever uses the object does not notice. Everything else may disturb a host. */
const READS = new Set([
  0x0001, 0x0002, 0x0003, 0x0100, 0x0104, 0x0200, 0x0300, 0x0400, 0x0401, 0x0402, 0x0405, 0x0500, 0x0501, 0x4000,
  0x4100, 0x4102, 0x4200, 0x4201, 0x4203, 0x4300, 0x4303, 0x4305, 0x4500, 0x4700, 0x4702, 0x4800, 0x4801, 0x5400,
  0x5401, 0x5403, 0x5405, 0x5406, 0x5408, 0x5500, 0x5501, 0x5600, 0x5601, 0x5603, 0x5608,
]);

/** Every object that a command names or implies. An empty list: it concerns nobody. */
export function objectsOf(terminal: Terminal, own: Ownership, ground: Ground): readonly Named[] {
  if (terminal.kind === 'opaque') return [opaque(terminal.why)];
  const world: World = { own, ground };
  const [port, second] = terminal.path;
  if (port === undefined) return onSwitch(world, terminal.opcode, terminal.payload);
  if (port.kind !== 'port') return [opaque('a path that begins below a port')];
  if (second === undefined) return onDevice(world, port.id, terminal.opcode, terminal.payload);
  return second.kind === 'ld'
    ? onLd(world, port.id, second.id, terminal.opcode)
    : onPool(world, port.id, terminal.opcode, terminal.payload);
}

interface World {
  readonly own: Ownership;
  readonly ground: Ground;
}

function onSwitch(world: World, opcode: number, payload: Uint8Array): readonly Named[] {
  const [a = 0, b = 0, c = 0] = payload;
  if (OPEN_ON_SWITCH.has(opcode)) return [];
  switch (opcode) {
    case 0x0401:
      return isCel(payload) ? [] : [opaque('a log of the whole switch')];
    case 0x5101:
      return Array.from(payload.subarray(1), (port) => shared(world, port));
    case 0x5102:
    case 0x5103:
      return [touchPort(world, a), ...wholeDevice(world, a), ...hostsOf(world, a, undefined)];
    case 0x5106:
    case 0x5107:
      return [touchVcs(world, a)];
    case 0x5200:
      return Array.from(payload.subarray(3), (vcs) => touchVcs(world, vcs));
    case 0x5201:
      return [touchVppb(world, a, b), ...portOrLd(world, c, uint(payload, 4, 2))];
    case 0x5202:
      return [touchVppb(world, a, b), ...boundAt(world, a, b)];
    case 0x5203:
      return [touchVppb(world, a, b)];
    case 0x5301:
    case 0x5302:
      return behindPort(world, a, uint(payload, 4, 2));
    default:
      return [opaque(`${opcode.toString(16)}h on the switch`)];
  }
}

/** The component behind a port: an SLD, or the FM-owned LD that stands for all LDs of an MLD. */
function onDevice(world: World, port: number, opcode: number, payload: Uint8Array): readonly Named[] {
  const lds = world.ground.devices.get(port);
  if (lds === undefined || lds === 0) {
    return [
      touchPort(world, port),
      ...tagsIn(world, port, opcode, payload),
      ...disturbed(world, port, undefined, opcode),
    ];
  }
  const [a = 0, b = 0] = payload;
  if (OPEN_ON_MLD.has(opcode) || (opcode === 0x0401 && isCel(payload))) return [shared(world, port)];
  switch (opcode) {
    case 0x5401:
    case 0x5500:
      return readRange(world, port, a, b, lds);
    case 0x5406:
    case 0x5408:
      return readRange(world, port, b, a, lds);
    case 0x5402:
      return writeRange(world, port, b, Math.max(a, Math.floor((payload.length - 4) / 16)), opcode);
    case 0x5407:
    case 0x5409:
      return writeRange(world, port, b, Math.max(a, payload.length - 2), opcode);
    case 0x5501:
    case 0x5603:
      return [touchPort(world, port)];
    case 0x5601:
      return [touchHost(world, port, uint(payload, 0, 2), lds)];
    case 0x5604:
    case 0x5605: {
      const host = uint(payload, 0, 2);
      const isPlace = ((payload[2] ?? 0) & 0x0f) === (opcode === 0x5604 ? 2 : 1);
      return [
        touchHost(world, port, host, lds),
        ...(isPlace ? wholeDevice(world, port) : []),
        ...tagsIn(world, port, opcode, payload),
        ...hostsOf(world, port, host),
      ];
    }
    case 0x5606:
    case 0x5607:
      return tagsIn(world, port, opcode, payload);
    default:
      return [...wholeDevice(world, port), ...disturbed(world, port, undefined, opcode)];
  }
}

/** Host h of an MLD is that of its LD h; there are no others but the port owner's. */
function touchHost(world: World, port: number, host: number, lds: number): Named {
  return host < lds ? touchLd(world, port, host) : touchPort(world, port);
}

/** Tags that a command names: those that are there must be the caller's, and some must be there. */
function tagsIn({ ground }: World, port: number, opcode: number, payload: Uint8Array): readonly Named[] {
  if (opcode < 0x5604 || opcode > 0x5607) return [];
  const at = opcode >= 0x5606 ? [0] : [12];
  const policy = (payload[2] ?? 0) & 0x0f;
  if (opcode === 0x5604 && policy === 2) for (let i = 0; i < uint(payload, 28, 4); i++) at.push(32 + i * 40 + 16);
  const mustExist = opcode >= 0x5606 || (opcode === 0x5604 && policy === 3);
  return at.flatMap((offset): readonly Named[] => {
    const tag = Array.from(payload.subarray(offset, offset + 16), (byte) => byte.toString(16).padStart(2, '0')).join(
      '',
    );
    const owner = ground.tags?.get(`${port}/${tag}`);
    if (owner !== undefined) return [touch(`tag ${tag} of port ${port}`, owner)];
    return mustExist && !/^0*$/.test(tag) ? [touch(`tag ${tag} that nobody added`, NOBODY)] : [];
  });
}

function onLd(world: World, port: number, ld: number, opcode: number): readonly Named[] {
  return [touchLd(world, port, ld), ...disturbed(world, port, ld, opcode)];
}

function onPool(world: World, port: number, opcode: number, payload: Uint8Array): readonly Named[] {
  const lds = world.ground.devices.get(port) ?? 0;
  if (opcode === 0x5500 && lds > 0) return readRange(world, port, payload[0] ?? 0, payload[1] ?? 0, lds);
  return [touchPort(world, port), ...wholeDevice(world, port), ...disturbed(world, port, undefined, opcode)];
}

/**
 * A read of a range of LDs. Its ends are the caller's; what lies between is masked in the reply, because the list is
 * positional and cannot be asked for with holes.
 */
function readRange(world: World, port: number, start: number, count: number, lds: number): readonly Named[] {
  const last = Math.min(start + count, lds) - 1;
  if (last < start) return [touchLd(world, port, start)];
  return [touchLd(world, port, start), touchLd(world, port, last)];
}

function writeRange(world: World, port: number, start: number, count: number, opcode: number): readonly Named[] {
  if (count === 0) return wholeDevice(world, port);
  const lds = Array.from({ length: count }, (_, i) => start + i);
  return lds.flatMap((ld) => [touchLd(world, port, ld), ...disturbed(world, port, ld, opcode)]);
}

/** 5301h and 5302h: one LD, or through FFFFh the FM-owned LD and with it everything on the device. */
function behindPort(world: World, port: number, ld: number): readonly Named[] {
  if (ld === NO_LD) return [...wholeDevice(world, port), ...hostsOf(world, port, undefined)];
  return [touchLd(world, port, ld), ...hostsOf(world, port, ld)];
}

function portOrLd(world: World, port: number, ld: number): readonly Named[] {
  if (ld !== NO_LD) return [touchLd(world, port, ld)];
  return [touchPort(world, port), ...wholeDevice(world, port)];
}

function boundAt(world: World, vcs: number, vppb: number): readonly Named[] {
  const bound = world.ground.bindings.get(`${vcs}.${vppb}`) ?? 'unbound';
  if (bound === 'unbound') return [];
  if (bound === 'changing') return [opaque('unbind of a vPPB that is changing hands')];
  return portOrLd(world, bound.port, bound.ld ?? NO_LD);
}

function disturbed(world: World, port: number, ld: number | undefined, opcode: number): readonly Named[] {
  return READS.has(opcode) ? [] : hostsOf(world, port, ld);
}

/** The VCSs whose hosts use the port, or that LD of it. */
function hostsOf(world: World, port: number, ld: number | undefined): readonly Named[] {
  const found: Named[] = [];
  for (const [key, bound] of world.ground.bindings) {
    if (typeof bound === 'string' || bound.port !== port) continue;
    if (ld !== undefined && bound.ld !== undefined && bound.ld !== ld) continue;
    const vcs = Number(key.split('.')[0]);
    found.push({ kind: 'disturb', what: `host of vcs ${vcs}`, owners: [vcsOwner(world.own, vcs)] });
  }
  return found;
}

/** Every LD of a device, both those that the file knows and those that are there. */
function wholeDevice({ own, ground }: World, port: number): readonly Named[] {
  const count = Math.max(ground.devices.get(port) ?? 0, own.ports.get(port) ?? 0);
  if (count === 0) return [{ kind: 'touch', what: `port ${port}`, owners: [portOwner(own, port)] }];
  const owners = Array.from({ length: count }, (_, ld) => ldOwner(own, port, ld));
  return [{ kind: 'touch', what: `everything on port ${port}`, owners }];
}

function shared({ own, ground }: World, port: number): Named {
  const count = Math.max(ground.devices.get(port) ?? 0, own.ports.get(port) ?? 0);
  const lds = Array.from({ length: count }, (_, ld) => ldOwner(own, port, ld));
  return { kind: 'share', what: `shared port ${port}`, owners: [portOwner(own, port), ...lds] };
}

const touchPort = ({ own }: World, port: number): Named => touch(`port ${port}`, portOwner(own, port));
const touchLd = ({ own }: World, port: number, ld: number): Named => touch(`ld ${port}/${ld}`, ldOwner(own, port, ld));
const touchVcs = ({ own }: World, vcs: number): Named => touch(`vcs ${vcs}`, vcsOwner(own, vcs));
const touchVppb = ({ own }: World, vcs: number, vppb: number): Named =>
  touch(`vppb ${vcs}/${vppb}`, vppbOwner(own, vcs, vppb));

function touch(what: string, owner: string): Named {
  return { kind: 'touch', what, owners: [owner] };
}

function opaque(why: string): Named {
  return { kind: 'touch', what: `unknown: ${why}`, owners: [NOBODY] };
}

function isCel(payload: Uint8Array): boolean {
  const uuid = Array.from(payload.subarray(0, 16), (byte) => byte.toString(16).padStart(2, '0')).join('');
  return uuid === CEL_LOG;
}
