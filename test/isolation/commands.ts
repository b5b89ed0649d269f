import type { CommandRequest } from '../../src/broker/core-api.ts';
import {
  CEL_UUID,
  type CommandRow,
  catalogue,
  decodePayload,
  encodeMessage,
  type Json,
  joinBytes,
  rowByOpcode,
  toHex,
  toJson,
  uuidBytes,
  writeUint,
} from '../../src/cci/index.ts';
import type { Dice } from './seeded.ts';
import { ownerOfPlace, type World } from './world.ts';

export type Place =
  | { readonly kind: 'switch' }
  | { readonly kind: 'port'; readonly port: number }
  | { readonly kind: 'ld'; readonly port: number; readonly ld: number }
  | { readonly kind: 'pool'; readonly port: number };

/** One try of a tenant's: what he submits, and what it means as bytes of the switch CCI. */
export interface Attempt {
  readonly label: string;
  readonly request: CommandRequest;
  /** Opcode and payload that the switch CCI would get; undefined where the request is nonsense before that. */
  readonly outer: { readonly opcode: number; readonly payload: Uint8Array } | undefined;
}

/** Ids as one tenant meets them. */
export interface Ids {
  readonly port: (dice: Dice) => number;
  readonly ldOf: (dice: Dice, port: number) => number;
  readonly vcs: (dice: Dice) => number;
  readonly vppbOf: (dice: Dice, vcs: number) => number;
  /** A bind of what is the tenant's own and free at the start; undefined where there is none. */
  readonly bindable: (dice: Dice) => Uint8Array | undefined;
  /** A capacity tag: mostly one of a few of the tenant's own, now and then one of another's, or none. */
  readonly tag: (dice: Dice) => Uint8Array;
  /** A port and an LD that go together, or a port alone. */
  readonly place: (dice: Dice) => { readonly port: number; readonly ld: number | undefined };
}

/** Mostly the tenant's own ids, often those of others, now and then ones that do not exist or sit at an edge. */
export function idsOf(world: World, tenant: string): Ids {
  const ports = world.ports.map(({ id }) => id);
  const vcss = world.vcss.map(({ id }) => id);
  const ownPorts = world.ports.filter((port) => port.owner === tenant || port.ldOwners.includes(tenant));
  const ownVcss = world.vcss.filter((vcs) => vcs.owner === tenant).map(({ id }) => id);
  const mix = (dice: Dice, own: readonly number[], all: readonly number[], edge: readonly number[]): number => {
    const roll = dice.unit();
    if (roll < 0.62 && own.length > 0) return dice.pick(own);
    if (roll < 0.92 && all.length > 0) return dice.pick(all);
    return roll < 0.97 ? dice.pick(edge) : dice.int(0, 255);
  };
  const ldOf = (dice: Dice, id: number): number => {
    const port = world.ports.find((candidate) => candidate.id === id);
    const all = Array.from({ length: Math.max(port?.device?.lds ?? 0, port?.listedLds ?? 0, 1) }, (_, ld) => ld);
    const own = all.filter((ld) => ownerOfPlace(world.ports, `${id}.${ld}`) === tenant);
    return mix(dice, own, all, [0, 15, 16, 255, ...all.map((ld) => ld + 256), 0xffff]);
  };
  const port = (dice: Dice): number =>
    mix(
      dice,
      ownPorts.map(({ id }) => id),
      ports,
      [0, 24, 255],
    );
  return {
    port,
    ldOf,
    vcs: (dice) => mix(dice, ownVcss, vcss, [0, 1, 255]),
    vppbOf: (dice, vcs) =>
      dice.int(0, (world.vcss.find(({ id }) => id === vcs)?.vppbs ?? 2) - (dice.chance(0.1) ? 0 : 1)),
    bindable: (dice) => bindable(dice, world, tenant),
    tag: (dice) => {
      const roll = dice.unit();
      return roll < 0.1 ? new Uint8Array(16) : tagOf(roll < 0.8 ? tenant : dice.pick(world.tenants), dice.int(0, 2));
    },
    place: (dice) => {
      const id = port(dice);
      const found = world.ports.find((candidate) => candidate.id === id);
      return { port: id, ld: found?.device?.kind === 'mld' ? ldOf(dice, id) : undefined };
    },
  };
}

/** The tags that a tenant calls his own: what he adds capacity by, whatever became of it. */
export function tagOf(tenant: string, number: number): Uint8Array {
  const tag = new Uint8Array(16).fill(0xa0 + number);
  tag.set(new TextEncoder().encode(tenant.slice(0, 8)));
  return tag;
}

function bindable(dice: Dice, world: World, tenant: string): Uint8Array | undefined {
  const taken = new Set(world.vcss.flatMap(({ bindings }) => bindings.map(({ port, ld }) => `${port}.${ld ?? ''}`)));
  const vppbs = world.vcss.flatMap(({ id, owner, vppbs: count, bindings }) =>
    owner === tenant
      ? Array.from({ length: count }, (_, vppb) => ({ vcs: id, vppb })).filter(
          ({ vppb }) => !bindings.some((binding) => binding.vppb === vppb),
        )
      : [],
  );
  const places = world.ports.flatMap(({ id, role, device }): readonly { port: number; ld: number | undefined }[] => {
    if (role !== 'dsp') return [];
    if (device?.kind !== 'mld') return [{ port: id, ld: undefined }];
    return Array.from({ length: device.lds }, (_, ld) => ({ port: id, ld }));
  });
  const free = places.filter(
    ({ port, ld }) =>
      !taken.has(`${port}.${ld ?? ''}`) &&
      ownerOfPlace(world.ports, ld === undefined ? `${port}` : `${port}.${ld}`) === tenant,
  );
  if (vppbs.length === 0 || free.length === 0) return undefined;
  const { vcs, vppb } = dice.pick(vppbs);
  const { port, ld = 0xffff } = dice.pick(free);
  return Uint8Array.of(vcs, vppb, port, 0, ld & 0xff, ld >> 8);
}

/** Draws one attempt of a tenant. */
export function makeAttempt(dice: Dice, world: World, tenant: string): Attempt {
  const ids = idsOf(world, tenant);
  const place = makePlace(dice, ids);
  const opcode = makeOpcode(dice, place);
  const payload = spoil(dice, 0.05, makePayload(dice, opcode, ids, place));
  return spell(dice, place, opcode, payload);
}

/** One given command in one of the spellings; spoilt now and then, unless it must stay what it is. */
export function spell(dice: Dice, place: Place, opcode: number, payload: Uint8Array, isSpoilt = true): Attempt {
  const roll = dice.unit();
  if (place.kind === 'switch' ? roll < 0.5 : roll < 0.4) return typed(place, opcode, payload);
  if (roll < 0.6) return rawly(dice, place, opcode, payload);
  return byHand(dice, place, opcode, payload, isSpoilt);
}

/** By slug where the payload can be put into parameters, else as a message. */
export function typed(place: Place, opcode: number, payload: Uint8Array): Attempt {
  const row = rowByOpcode(opcode);
  const params = row === undefined ? undefined : paramsOf(row, payload);
  const outer = enclose(place, opcode, payload);
  const via = viaOf(place);
  if (row === undefined || params === undefined) return message(outer.opcode, outer.payload);
  const request: CommandRequest = {
    kind: 'named',
    command: row.slug,
    params,
    ...(via === undefined ? {} : { via }),
  };
  return { label: `named ${row.slug} ${JSON.stringify(params)} via ${via ?? '-'}`, request, outer };
}

function rawly(dice: Dice, place: Place, opcode: number, payload: Uint8Array): Attempt {
  // Half of them name the path by `via`, the others carry it in their own bytes.
  const inBytes = dice.chance(0.5);
  const outer = enclose(place, opcode, payload);
  const via = inBytes ? undefined : viaOf(place);
  const sent = inBytes ? outer : { opcode, payload };
  return {
    label: `raw ${sent.opcode.toString(16)}h ${toHex(sent.payload)} via ${via ?? '-'}`,
    request: { kind: 'raw', opcode: sent.opcode, payload: sent.payload, ...(via === undefined ? {} : { via }) },
    outer,
  };
}

function byHand(dice: Dice, place: Place, opcode: number, payload: Uint8Array, isSpoilt: boolean): Attempt {
  const outer = enclose(place, opcode, payload);
  if (!isSpoilt) return message(outer.opcode, outer.payload);
  const bytes = spoil(dice, place.kind === 'switch' ? 0.05 : 0.25, outer.payload);
  if (dice.chance(0.7)) return message(outer.opcode, bytes, dice);
  const row = rowByOpcode(outer.opcode);
  const params = row === undefined ? undefined : paramsOf(row, bytes);
  if (row === undefined || params === undefined) return message(outer.opcode, bytes, dice);
  return {
    label: `named ${row.slug} ${JSON.stringify(params)}`,
    request: { kind: 'named', command: row.slug, params },
    outer: { opcode: outer.opcode, payload: bytes },
  };
}

/** A whole message; with dice, its header is now and then not as it should be. */
export function message(opcode: number, payload: Uint8Array, dice?: Dice): Attempt {
  const bytes = encodeMessage({
    category: 'request',
    tag: dice?.int(0, 255) ?? 0x2a,
    opcode,
    background: false,
    returnCode: 0,
    vendorStatus: 0,
    payload,
  });
  const bent = dice?.chance(0.08) === true ? bend(dice, bytes) : bytes;
  return {
    label: `message ${toHex(bent)}`,
    request: { kind: 'message', bytes: bent },
    outer: outerOf(bent),
  };
}

/** Opcode and payload of a message whose header is as it must be. */
function outerOf(bytes: Uint8Array): Attempt['outer'] {
  const [category, , reserved, low = 0, high = 0, size0 = 0, size1 = 0, size2 = 0] = bytes;
  const length = size0 + size1 * 256 + (size2 & 0x1f) * 65_536;
  if (bytes.length < 12 || category !== 0 || reserved !== 0 || length !== bytes.length - 12) return undefined;
  return { opcode: low + high * 256, payload: bytes.subarray(12) };
}

/** Puts a command into the tunnels that lead to a place. */
export function enclose(
  place: Place,
  opcode: number,
  payload: Uint8Array,
): { readonly opcode: number; readonly payload: Uint8Array } {
  if (place.kind === 'switch') return { opcode, payload };
  const below =
    place.kind === 'port'
      ? { opcode, payload }
      : {
          opcode: 0x5300,
          payload: tunnel(place.kind === 'ld' ? place.ld & 0xff : 0, place.kind === 'pool' ? 1 : 0, opcode, payload),
        };
  return { opcode: 0x5300, payload: tunnel(place.port, 0, below.opcode, below.payload) };
}

function tunnel(id: number, type: number, opcode: number, payload: Uint8Array): Uint8Array {
  const head = new Uint8Array(16);
  head[0] = id;
  head[1] = type;
  writeUint(head, 2, 2, 12 + payload.length);
  writeUint(head, 7, 2, opcode);
  writeUint(head, 9, 2, payload.length);
  return joinBytes([head, payload]);
}

function viaOf(place: Place): string | undefined {
  switch (place.kind) {
    case 'switch':
      return undefined;
    case 'port':
      return `port:${place.port}`;
    case 'ld':
      return `port:${place.port}/ld:${place.ld & 0xff}`;
    case 'pool':
      return `port:${place.port}/ldpool`;
  }
}

function paramsOf(row: CommandRow, payload: Uint8Array): Json | undefined {
  if (row.request === null) return undefined;
  const value = decodePayload(row.request, payload, { side: 'request' });
  return value.ok ? toJson(value.value) : undefined;
}

function makePlace(dice: Dice, ids: Ids): Place {
  const roll = dice.unit();
  if (roll < 0.5) return { kind: 'switch' };
  const { port, ld } = ids.place(dice);
  if (roll < 0.68) return { kind: 'port', port };
  if (roll < 0.93) return { kind: 'ld', port, ld: ld ?? ids.ldOf(dice, port) };
  return { kind: 'pool', port };
}

const ON_SWITCH = [0x5100, 0x5101, 0x5101, 0x5102, 0x5103, 0x5106, 0x5107, 0x5200, 0x5200, 0x5201, 0x5201, 0x5202];
const MORE_ON_SWITCH = [0x5202, 0x5203, 0x5301, 0x5302, 0x0001, 0x0002, 0x0003, 0x0004, 0x0005, 0x0100, 0x0400, 0x0401];
const ON_DEVICE = [0x5400, 0x5401, 0x5402, 0x5403, 0x5404, 0x5405, 0x5406, 0x5407, 0x5408, 0x5409, 0x5500, 0x5501];
const MORE_ON_DEVICE = [0x0001, 0x0400, 0x0401, 0x4000, 0x4100, 0x4102, 0x4400, 0x5600, 0x5601, 0x5602, 0x5603, 0x5604];
const ABOUT_CAPACITY = [0x5601, 0x5603, 0x5604, 0x5604, 0x5605, 0x5606, 0x5607, 0x5608, 0x5608];
const ON_LD = [0x0001, 0x0400, 0x0401, 0x4000, 0x4100, 0x4102, 0x4103, 0x4200, 0x4300, 0x4301, 0x4400, 0x4700, 0x0200];

function makeOpcode(dice: Dice, place: Place): number {
  const roll = dice.unit();
  if (roll > 0.97) return dice.chance(0.5) ? dice.int(0xc000, 0xffff) : dice.int(1, 0xffff);
  if (roll > 0.85) return dice.pick(catalogue).opcode;
  if (place.kind === 'switch') return dice.pick([...ON_SWITCH, ...MORE_ON_SWITCH]);
  return dice.pick(place.kind === 'ld' ? ON_LD : [...ON_DEVICE, ...MORE_ON_DEVICE, ...ABOUT_CAPACITY]);
}

const CEL = uuidBytes(CEL_UUID) ?? new Uint8Array(16);

/** A payload of the right form for an opcode, with ids drawn from all over the fabric. */
export function makePayload(dice: Dice, opcode: number, ids: Ids, place: Place): Uint8Array {
  const vcs = ids.vcs(dice);
  const vppb = ids.vppbOf(dice, vcs);
  const { port, ld } = ids.place(dice);
  const here = place.kind === 'switch' ? port : place.port;
  switch (opcode) {
    case 0x0401: {
      const log = dice.chance(0.8) ? CEL : dice.bytes(16);
      return joinBytes([
        log,
        Uint8Array.of(dice.chance(0.7) ? 0 : dice.int(0, 64), 0, 0, 0, dice.int(4, 200), 0, 0, 0),
      ]);
    }
    case 0x5101: {
      const list = dice.shuffle(Array.from({ length: dice.int(1, 6) }, () => ids.port(dice)));
      return Uint8Array.of(list.length, ...list);
    }
    case 0x5102:
      return Uint8Array.of(port, dice.int(0, 2));
    case 0x5103:
      return Uint8Array.of(port, dice.int(0, 255), 0xf0, dice.pick([0, 0x80]), 1, 2, 3, 4);
    case 0x5106:
    case 0x5107:
      return Uint8Array.of(vcs);
    case 0x5200: {
      const list = dice.shuffle(Array.from({ length: dice.int(1, 4) }, () => ids.vcs(dice)));
      const start = dice.chance(0.6) ? 0 : dice.int(0, 6);
      return Uint8Array.of(start, dice.chance(0.5) ? 255 : dice.int(1, 6), list.length, ...list);
    }
    case 0x5201: {
      const fitting = dice.chance(0.7) ? ids.bindable(dice) : undefined;
      if (fitting !== undefined) return fitting;
      const noLd = ld === undefined || dice.chance(0.1);
      const word = noLd ? 0xffff : ld;
      return Uint8Array.of(vcs, vppb, port, 0, word & 0xff, word >> 8);
    }
    case 0x5202:
      return Uint8Array.of(vcs, vppb, dice.int(0, 2));
    case 0x5203:
      return joinBytes([Uint8Array.of(vcs, vppb, 0, 0, dice.int(0, 20), 0, 0, 0), dice.bytes(32)]);
    case 0x5301:
    case 0x5302: {
      const word = ld === undefined || dice.chance(0.25) ? 0xffff : ld;
      // A read of a register, or of eight bytes of memory.
      const control = opcode === 0x5301 ? [dice.int(0, 255), 0xf0, dice.pick([0, 0x80])] : [0, 0xf0, 0x0f];
      const rest = opcode === 0x5301 ? new Uint8Array(6) : Uint8Array.of(8, 0, 0, 0, 0, 0, 0, 0, 0, 0);
      return joinBytes([Uint8Array.of(port, ...control, word & 0xff, word >> 8), rest]);
    }
    case 0x5401:
    case 0x5500:
      return Uint8Array.of(ids.ldOf(dice, here) & 0xff, dice.chance(0.3) ? 255 : dice.int(1, 4));
    case 0x5406:
    case 0x5408:
      return Uint8Array.of(dice.chance(0.2) ? 255 : dice.int(1, 4), ids.ldOf(dice, here) & 0xff);
    case 0x5402: {
      const count = dice.int(1, 2);
      const sizes = joinBytes(
        Array.from({ length: count }, () => Uint8Array.of(dice.int(1, 16), ...new Uint8Array(15))),
      );
      return joinBytes([Uint8Array.of(count, ids.ldOf(dice, here) & 0xff, 0, 0), sizes]);
    }
    case 0x5407:
    case 0x5409: {
      const count = dice.int(1, 3);
      return joinBytes([Uint8Array.of(count, ids.ldOf(dice, here) & 0xff), dice.bytes(count)]);
    }
    case 0x5501:
      return Uint8Array.of(0, dice.int(1, 2));
    case 0x5601:
      return Uint8Array.of(ids.ldOf(dice, here) & 0xff, 0, dice.int(1, 8), dice.int(0, 1));
    case 0x5603:
      return Uint8Array.of(ids.ldOf(dice, here) & 0xff, 0, 0, 0, dice.int(1, 9), 0, 0, 0, dice.int(0, 2), 0, 0, 0);
    case 0x5604:
      return capacityAdd(dice, ids, here);
    case 0x5605: {
      const flags = dice.pick([0, 0, 0x10, 1]);
      const head = Uint8Array.of(ids.ldOf(dice, here) & 0xff, 0, flags, 0, 0, 0, 0, 0, 0, 0, 0, 0);
      const tail = flags === 1 ? joinBytes([Uint8Array.of(1, 0, 0, 0), new Uint8Array(40)]) : new Uint8Array(0);
      return joinBytes([head, ids.tag(dice), tail]);
    }
    case 0x5606:
    case 0x5607:
      return ids.tag(dice);
    case 0x5608:
      return Uint8Array.of(dice.int(0, 3), 0, 0, 0, dice.int(1, 9), 0, 0, 0);
    default:
      return plainPayload(dice, opcode);
  }
}

/** 256 MiB for a host: free, contiguous, at a place, or access to what a tag names. */
function capacityAdd(dice: Dice, ids: Ids, port: number): Uint8Array {
  const policy = dice.pick([0, 0, 0, 1, 2, 3]);
  const length = Uint8Array.of(0, 0, 0, 0x10, 0, 0, 0, 0);
  const head = Uint8Array.of(ids.ldOf(dice, port) & 0xff, 0, policy, dice.int(0, 1));
  const tag = ids.tag(dice);
  if (policy !== 2) return joinBytes([head, length, tag]);
  const extent = joinBytes([new Uint8Array(8), length, ids.tag(dice), new Uint8Array(8)]);
  return joinBytes([head, length, tag, Uint8Array.of(1, 0, 0, 0), extent]);
}

function plainPayload(dice: Dice, opcode: number): Uint8Array {
  const row = rowByOpcode(opcode);
  const sizes = row?.request ?? row?.requestSize;
  const min = sizes?.min ?? dice.int(0, 16);
  // Zeros pass more payload rules than noise does.
  return dice.chance(0.6) ? new Uint8Array(Math.min(min, 512)) : dice.bytes(Math.min(min, 512));
}

/** Now and then a byte is changed, missing or too many. */
function spoil(dice: Dice, probability: number, payload: Uint8Array): Uint8Array {
  return dice.chance(probability) ? bend(dice, payload) : payload;
}

function bend(dice: Dice, bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  switch (dice.int(0, 4)) {
    case 0:
      return copy.subarray(0, Math.max(0, copy.length - dice.int(1, 4)));
    case 1:
      return joinBytes([copy, dice.bytes(dice.int(1, 4))]);
    case 2:
      // An MCTP type byte before the inner message, as one library has it.
      return copy.length < 4 ? copy : joinBytes([copy.subarray(0, 4), Uint8Array.of(8), copy.subarray(4)]);
    default:
      if (copy.length > 0) copy[dice.int(0, Math.min(copy.length, 36) - 1)] = dice.int(0, 255);
      return copy;
  }
}
