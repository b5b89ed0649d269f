import { catalogue } from '../../src/cci/index.ts';
import { Dice } from './seeded.ts';

/** A whole made-up switch: what is there, what the fabric file says of it, and who owns what. Plain data. */
export interface World {
  readonly serial: number;
  readonly tenants: readonly string[];
  readonly ports: readonly WorldPort[];
  readonly vcss: readonly WorldVcs[];
}

export interface WorldPort {
  readonly id: number;
  readonly role: 'usp' | 'dsp';
  readonly device?: WorldDevice;
  /** LDs that the fabric file gives the port; undefined leaves the port out of the file. */
  readonly listedLds: number | undefined;
  readonly owner?: string;
  /** Owners of single LDs, by id, where the port itself has none. */
  readonly ldOwners: readonly (string | undefined)[];
}

export interface WorldDevice {
  readonly kind: 'sld' | 'mld';
  readonly serial: number;
  /** 0 for an SLD. */
  readonly lds: number;
  /** GiB of each LD. */
  readonly sizes: readonly number[];
  readonly dynamic: boolean;
}

export interface WorldVcs {
  readonly id: number;
  readonly usp: number;
  readonly vppbs: number;
  /** Undefined leaves the VCS out of the fabric file. */
  readonly listedVppbs: number | undefined;
  readonly owner?: string;
  readonly bindings: readonly { readonly vppb: number; readonly port: number; readonly ld?: number }[];
}

const TENANTS = ['acme', 'globex', 'initech'];
/** First serial number of the devices: unlikely bytes, so that one in a reply is no accident. */
const SERIALS = 0x5eed_0000_0000;

/** Makes a world. The same seed makes the same world. */
export function makeWorld(seed: number): World {
  const dice = new Dice(seed);
  const tenants = TENANTS.slice(0, dice.int(2, 3));
  const owner = (): string | undefined => (dice.chance(0.2) ? undefined : dice.pick(tenants));
  const count = dice.int(4, 24);
  const ids = dice.chance(0.7)
    ? Array.from({ length: count }, (_, id) => id)
    : dice
        .shuffle([...Array.from({ length: 60 }, (_, id) => id), 128, 200, 254, 255])
        .slice(0, count)
        .sort((a, b) => a - b);
  const usps = dice.int(1, Math.min(4, Math.floor(count / 2)));
  const ports = ids.map((id, at) => makePort(dice, id, at < usps ? 'usp' : 'dsp', tenants, owner));
  const vcsIds = dice.chance(0.8) ? ids.map((_, at) => at) : dice.shuffle([0, 1, 2, 3, 7, 31, 100, 254, 255]);
  const free = new Set<string>();
  for (const port of ports) {
    if (port.role !== 'dsp') continue;
    if (port.device?.kind === 'mld') for (let ld = 0; ld < port.device.lds; ld++) free.add(`${port.id}.${ld}`);
    else free.add(`${port.id}`);
  }
  const vcss = ids.slice(0, usps).map((usp, at) => makeVcs(dice, vcsIds[at] ?? at, usp, owner(), ports, free));
  return { serial: SERIALS - 1, tenants, ports, vcss };
}

function makePort(
  dice: Dice,
  id: number,
  role: 'usp' | 'dsp',
  tenants: readonly string[],
  anyOwner: () => string | undefined,
): WorldPort {
  const serial = SERIALS + id * 0x1_0001 + 1;
  const kind = role === 'usp' || dice.chance(0.1) ? undefined : dice.chance(0.55) ? 'mld' : 'sld';
  const lds = kind === 'mld' ? dice.int(1, 16) : 0;
  const sizes = Array.from({ length: lds }, () => dice.int(1, 4));
  const device: WorldDevice | undefined =
    kind === undefined
      ? undefined
      : { kind, serial, lds, sizes, dynamic: kind === 'sld' ? dice.chance(0.25) : id % 2 === 0 };
  const listedLds = dice.chance(0.06) ? undefined : dice.chance(0.85) ? lds : dice.int(0, 16);
  const split = (listedLds ?? 0) > 0 && dice.chance(0.75);
  const ldOwners = split ? Array.from({ length: listedLds ?? 0 }, anyOwner) : [];
  const whole = listedLds === undefined || split ? undefined : anyOwner();
  // Now and then one tenant owns every LD, which is not the same as owning the port.
  if (split && dice.chance(0.15)) ldOwners.fill(dice.pick(tenants));
  return {
    id,
    role,
    listedLds,
    ldOwners,
    ...(device === undefined ? {} : { device }),
    ...(whole === undefined ? {} : { owner: whole }),
  };
}

function makeVcs(
  dice: Dice,
  id: number,
  usp: number,
  owner: string | undefined,
  ports: readonly WorldPort[],
  free: Set<string>,
): WorldVcs {
  const vppbs = dice.int(1, 8);
  const listed = dice.chance(0.05) ? undefined : dice.chance(0.9) ? vppbs : dice.int(1, 10);
  const bindings: { vppb: number; port: number; ld?: number }[] = [];
  for (let vppb = 0; vppb < vppbs; vppb++) {
    if (!dice.chance(0.6) || free.size === 0) continue;
    // Mostly what belongs together, sometimes the opposite: operators make mistakes too.
    const fitting = [...free].filter((place) => ownerOfPlace(ports, place) === owner);
    const place = dice.pick(fitting.length > 0 && dice.chance(0.8) ? fitting : [...free]);
    free.delete(place);
    const [port = 0, ld] = place.split('.').map(Number);
    bindings.push({ vppb, port, ...(ld === undefined ? {} : { ld }) });
  }
  return {
    id,
    usp,
    vppbs,
    listedVppbs: listed,
    bindings,
    ...(owner === undefined || listed === undefined ? {} : { owner }),
  };
}

/** Owner of `port` or `port.ld`, undefined where nobody is named. */
export function ownerOfPlace(ports: readonly WorldPort[], place: string): string | undefined {
  const [id, ld] = place.split('.').map(Number);
  const port = ports.find((candidate) => candidate.id === id);
  return port?.owner ?? (ld === undefined ? undefined : port?.ldOwners[ld]);
}

/** The fabric file of a world. */
export function fabricYaml(world: World): string {
  const owns = new Map<string, string[]>(world.tenants.map((tenant) => [tenant, []]));
  const enter = (owner: string | undefined, path: string) => {
    if (owner !== undefined) owns.get(owner)?.push(`/switches/sw0/${path}`);
  };
  const lines = ['switches:', '  sw0:', '    ports:'];
  for (const { id, listedLds, owner, ldOwners } of world.ports) {
    if (listedLds === undefined) continue;
    lines.push(`      - { ids: ${id}${listedLds > 0 ? `, lds: ${listedLds}` : ''} }`);
    enter(owner, `ports/${id}`);
    ldOwners.forEach((ldOwner, ld) => {
      enter(ldOwner, `ports/${id}/lds/${ld}`);
    });
  }
  const listed = world.vcss.filter((vcs) => vcs.listedVppbs !== undefined);
  lines.push(listed.length === 0 ? '    vcss: []' : '    vcss:');
  for (const { id, listedVppbs, owner } of listed) {
    lines.push(`      - { ids: ${id}, vppbs: ${listedVppbs} }`);
    enter(owner, `vcss/${id}`);
  }
  lines.push('tenants:');
  for (const [tenant, paths] of owns) {
    lines.push(
      `  ${tenant}:`,
      paths.length === 0 ? '    owns: []' : '    owns:',
      ...paths.map((path) => `      - ${path}`),
    );
  }
  return `${lines.join('\n')}\n`;
}

/** The emulated switch of a world. */
export function topologyYaml(world: World): string {
  const hex = (value: number) => `"0x${value.toString(16)}"`;
  const lines = ['switch:', `  serial: ${hex(world.serial)}`, `  ingress_port: ${world.ports[0]?.id ?? 0}`, 'devices:'];
  for (const { id, device } of world.ports) {
    if (device === undefined) continue;
    const own =
      device.kind === 'mld'
        ? `capacity: 64GiB, lds: ${device.lds}, allocations: [${device.sizes.map((size) => `${size}GiB`).join(', ')}]`
        : 'capacity: 16GiB, persistent: 4GiB';
    // Far more than a test asks for: what is left tells of others, and that signal is another test's.
    const hosts = Math.max(2, device.lds);
    const regions = '[{ size: 512GiB }, { size: 512GiB, sharable: true }]';
    const dynamic = device.dynamic
      ? `, dynamic_capacity: { hosts: ${hosts}, regions: ${regions}, extents: 4096, tags: 4096 }`
      : '';
    lines.push(`  device-${id}: { kind: ${device.kind}, serial: ${hex(device.serial)}, ${own}${dynamic} }`);
  }
  lines.push('ports:');
  for (const { id, role, device } of world.ports) {
    lines.push(`  - { ids: ${id}, role: ${role}${device === undefined ? '' : `, device: device-${id}`} }`);
  }
  lines.push('vcss:');
  for (const { id, usp, vppbs, bindings } of world.vcss) {
    lines.push(`  - ids: ${id}`, `    usp: ${usp}`, `    vppbs: ${vppbs}`);
    if (bindings.length === 0) continue;
    lines.push('    bindings:');
    for (const { vppb, port, ld } of bindings) {
      lines.push(`      - { vppb: ${vppb}, port: ${port}${ld === undefined ? '' : `, ld: ${ld}`} }`);
    }
  }
  return `${lines.join('\n').replace('devices:\nports:', 'ports:')}\n`;
}

const slugOnly = catalogue.flatMap((row) => ('grant' in row && row.grant === 'slug-only' ? [row.slug] : []));

/**
 * Grants for one tenant, generous on purpose: everything that the policy language can grant, on paths that are not even
 * his, to every token of his. Only ownership and the mandatory rules are left to protect the others.
 */
export function grantsCsv(tenant: string, seed: number): string {
  const dice = new Dice(seed);
  const whole = ['own', '/switches/sw0', '/switches/sw0/*'];
  const resources = dice.chance(0.6) ? whole : whole.slice(dice.int(0, 2));
  const commands = [
    'class:allowlisted',
    'class:audited',
    'scope:<=3',
    'set:virtual-switch',
    'opcode:0x0001-0xffff',
    ...slugOnly,
  ];
  const rows = resources.flatMap((resource) =>
    commands.map((command) => `p, role:everything, ${tenant}, ${resource}, ${command}, allow`),
  );
  return `${[...rows, `g, group:tenant/${tenant}, role:everything, ${tenant}`].join('\n')}\n`;
}
