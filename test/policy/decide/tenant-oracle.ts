// What a tenant may cause to be sent to a switch, judged from the fabric and from the bytes alone. Written without the
// product's resolver, classifier and codecs, and weaker where it is in doubt: what it forbids must never be allowed.

/** Who owns what, in the plainest form. */
export interface World {
  readonly ports: ReadonlyMap<number, WorldPort>;
  readonly vcss: ReadonlyMap<number, WorldVcs>;
}

export interface WorldPort {
  readonly owner: string | undefined;
  readonly device: 'none' | 'sld' | 'mld' | 'other' | 'unknown';
  /** LDs by the fabric file. */
  readonly lds: number;
  /** LDs that the device has. */
  readonly deviceLds: number;
  readonly ldOwners: ReadonlyMap<number, string>;
}

export type WorldBinding =
  | { readonly kind: 'unbound' }
  | { readonly kind: 'port'; readonly port: number }
  | { readonly kind: 'ld'; readonly port: number; readonly ld: number }
  | { readonly kind: 'unknown' };

export interface WorldVcs {
  readonly owner: string | undefined;
  readonly usp: number;
  readonly vppbs: readonly WorldBinding[];
}

const CEL = '0da9c0b5bf414b788f7996b1623b3f17';
/** Queries of the switch itself whose answers are made up or filtered per tenant, and the abort of one's own work. */
const switchQueries = [0x0001, 0x0002, 0x0003, 0x0005, 0x0400, 0x0402, 0x0405, 0x5100];
/** What each tenant has of his own on the switch: answered by the broker, never sent. */
const ownOnSwitch = [0x0004, 0x0100, 0x0101, 0x0300, 0x0301];
/** Reads of a shared MLD for which one LD is enough. */
const sharedReads = [0x0001, 0x0400, 0x5400, 0x5403, 0x5405, 0x5600, 0x5608];

const byte = (bytes: Uint8Array, at: number): number => bytes[at] ?? 0;
const word = (bytes: Uint8Array, at: number): number => byte(bytes, at) + 256 * byte(bytes, at + 1);
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** What the bytes would do to objects that are not the tenant's; undefined where nothing is found. */
export function objection(world: World, tenant: string, opcode: number, payload: Uint8Array): string | undefined {
  if (opcode !== 0x5300) return onSwitch(world, tenant, opcode, payload);
  const port = byte(payload, 0);
  const inner = payload.subarray(4);
  const innerOpcode = word(inner, 3);
  const innerPayload = inner.subarray(12);
  if (innerOpcode !== 0x5300) return behindPort(world, tenant, port, innerOpcode, innerPayload);
  if (byte(innerPayload, 1) === 1) return ownPort(world, tenant, port) ? undefined : `the pool of port ${port}`;
  const ld = byte(innerPayload, 0);
  return ownLd(world, tenant, port, ld) ? undefined : `LD ${ld} of port ${port}`;
}

function ownPort(world: World, tenant: string, port: number): boolean {
  return world.ports.get(port)?.owner === tenant;
}

function ownLd(world: World, tenant: string, port: number, ld: number): boolean {
  const at = world.ports.get(port);
  if (at === undefined || at.device !== 'mld' || ld >= at.lds || ld >= at.deviceLds) return false;
  return at.owner === tenant || at.ldOwners.get(ld) === tenant;
}

function ownVcs(world: World, tenant: string, vcs: number): boolean {
  return world.vcss.get(vcs)?.owner === tenant;
}

function ownVppb(world: World, tenant: string, vcs: number, vppb: number): boolean {
  return ownVcs(world, tenant, vcs) && vppb < (world.vcss.get(vcs)?.vppbs.length ?? 0);
}

function ownPortOrLd(world: World, tenant: string, port: number, ld: number): boolean {
  return ld === 0xffff ? ownPort(world, tenant, port) : ownLd(world, tenant, port, ld);
}

function onSwitch(world: World, tenant: string, opcode: number, payload: Uint8Array): string | undefined {
  const list = (from: number, own: (id: number) => boolean): string | undefined => {
    const foreign = [...payload.subarray(from)].find((id) => !own(id));
    return foreign === undefined ? undefined : `object ${foreign} of a list`;
  };
  const unless = (own: boolean, what: string): string | undefined => (own ? undefined : what);
  switch (opcode) {
    case 0x5101:
      return list(1, (port) => ownPort(world, tenant, port));
    case 0x5200:
      return list(3, (vcs) => ownVcs(world, tenant, vcs));
    case 0x5102:
    case 0x5103:
      return unless(ownPort(world, tenant, byte(payload, 0)), 'the port');
    case 0x5106:
    case 0x5107:
    case 0x5203:
      return unless(ownVcs(world, tenant, byte(payload, 0)), 'the VCS');
    case 0x5201: {
      if (!ownVppb(world, tenant, byte(payload, 0), byte(payload, 1))) return 'the vPPB';
      return unless(ownPortOrLd(world, tenant, byte(payload, 2), word(payload, 4)), 'what is bound');
    }
    case 0x5202: {
      if (!ownVppb(world, tenant, byte(payload, 0), byte(payload, 1))) return 'the vPPB';
      const bound = world.vcss.get(byte(payload, 0))?.vppbs[byte(payload, 1)];
      if (bound?.kind === 'unbound') return undefined;
      if (bound?.kind === 'port') return unless(ownPort(world, tenant, bound.port), 'the bound port');
      return unless(bound?.kind === 'ld' && ownLd(world, tenant, bound.port, bound.ld), 'the bound LD');
    }
    case 0x5301:
    case 0x5302:
      return unless(ownPortOrLd(world, tenant, byte(payload, 0), word(payload, 4)), 'the LD');
    case 0x0401:
      return unless(hex(payload.subarray(0, 16)) === CEL, 'a log of the switch');
    default:
      return unless(switchQueries.includes(opcode) || ownOnSwitch.includes(opcode), 'the switch');
  }
}

function behindPort(
  world: World,
  tenant: string,
  port: number,
  opcode: number,
  payload: Uint8Array,
): string | undefined {
  const at = world.ports.get(port);
  if (at === undefined) return 'a port that does not exist';
  if (at.device === 'unknown') return 'something unknown';
  if (at.device !== 'mld') return at.owner === tenant ? undefined : `port ${port}`;
  const range = ldRange(opcode, payload);
  const own = (ld: number): boolean => ownLd(world, tenant, port, ld);
  if (range !== undefined && range.count > 0) {
    const ids = Array.from({ length: range.count }, (_, i) => range.start + i);
    // Between the first and the last, a read's reply is masked; a write acts on all.
    const acts = range.writes ? ids : [ids[0] ?? 0, ids.at(-1) ?? 0];
    const foreign = acts.find((ld) => !own(ld));
    return foreign === undefined ? undefined : `LD ${foreign} of a range on port ${port}`;
  }
  if (at.owner === tenant) return undefined;
  // Capacity of one host of an MLD is that LD's; prescribed places are everybody's, and no tag has an owner here.
  if ([0x5601, 0x5603, 0x5604, 0x5605].includes(opcode)) {
    const host = word(payload, 0);
    const adds = opcode === 0x5604;
    if (adds && (byte(payload, 2) & 0x0f) >= 2) return 'a place or a tag of everybody';
    if (opcode === 0x5605 && (byte(payload, 2) & 0x0f) !== 0) return 'a place of everybody';
    if (opcode === 0x5605 && payload.subarray(12, 28).some((value) => value !== 0)) return 'a tag without an owner';
    return host < at.lds && (at.ldOwners.get(host) ?? '') === tenant ? undefined : `host ${host} of port ${port}`;
  }
  const lds = Array.from({ length: at.deviceLds }, (_, ld) => ld);
  const shared = sharedReads.includes(opcode) || (opcode === 0x0401 && hex(payload.subarray(0, 16)) === CEL);
  if (shared) return lds.some(own) ? undefined : `port ${port}, where the tenant has nothing`;
  return lds.length > 0 && lds.every(own) ? undefined : `all of port ${port}`;
}

function ldRange(
  opcode: number,
  payload: Uint8Array,
): { readonly start: number; readonly count: number; readonly writes: boolean } | undefined {
  const [a, b] = [byte(payload, 0), byte(payload, 1)];
  switch (opcode) {
    case 0x5401:
    case 0x5500:
      return { start: a, count: b, writes: false };
    case 0x5406:
    case 0x5408:
      return { start: b, count: a, writes: false };
    case 0x5402:
    case 0x5407:
    case 0x5409:
      return { start: b, count: a, writes: true };
    default:
      return undefined;
  }
}

/** Whom a reset of a port reaches, besides its owner: hosts and LD owners. Undefined where one of them is a stranger's. */
export function onlyOwnBehind(world: World, tenant: string, port: number): boolean {
  const at = world.ports.get(port);
  const lds = Array.from({ length: at?.lds ?? 0 }, (_, ld) => at?.ldOwners.get(ld) ?? at?.owner);
  const hosts = [...world.vcss.values()].filter(
    ({ usp, vppbs }) =>
      usp === port || vppbs.some((bound) => bound.kind === 'unknown' || ('port' in bound && bound.port === port)),
  );
  return [...lds, ...hosts.map(({ owner }) => owner)].every((owner) => owner === tenant);
}
