import type { Component, Hop } from '../../src/cci/index.ts';
import { builtinCommands, rowBySlug } from '../../src/cci/index.ts';
import type {
  Binding,
  CommandRef,
  Condition,
  DeviceKind,
  Errno,
  Fabric,
  FabricSwitch,
  GrantVerdict,
  MandatoryDenial,
  MandatoryFacts,
  Principal,
  ResourcePath,
  RuleEngine,
  TokenScope,
  TopologyView,
} from '../../src/policy/index.ts';
import type { LockdownLevel, Posture, TaintLetter } from '../../src/taint/index.ts';

/** A small fabric file: owners are tenants, undefined is nobody (`fabric`). */
export interface FabricSpec {
  readonly name?: string;
  readonly ports: Readonly<
    Record<number, { lds?: number; owner?: string; ldOwners?: Readonly<Record<number, string>> }>
  >;
  readonly vcss: Readonly<Record<number, { vppbs: number; owner?: string }>>;
}

/** A `Fabric` without files, written for tests: plain look-ups, nothing shared with the product's loader. */
export function fakeFabric(spec: FabricSpec): Fabric {
  const name = spec.name ?? 'sw0';
  const root: ResourcePath = `/switches/${name}`;
  const objects: ResourcePath[] = [root];
  const owners = new Map<string, string>();
  const tenants = new Set(['fabric']);
  const add = (path: ResourcePath, owner: string | undefined): void => {
    objects.push(path);
    if (owner === undefined) return;
    owners.set(path, owner);
    tenants.add(owner);
  };
  const ports = new Map<number, { lds: number }>();
  for (const [id, port] of Object.entries(spec.ports)) {
    const path: ResourcePath = `${root}/ports/${id}` as ResourcePath;
    ports.set(Number(id), { lds: port.lds ?? 0 });
    add(path, port.owner);
    for (let ld = 0; ld < (port.lds ?? 0); ld++) add(`${path}/lds/${ld}` as ResourcePath, port.ldOwners?.[ld]);
    if ((port.lds ?? 0) > 0) add(`${path}/ldpool` as ResourcePath, undefined);
  }
  const vcss = new Map<number, { vppbs: number }>();
  for (const [id, vcs] of Object.entries(spec.vcss)) {
    const path = `${root}/vcss/${id}` as ResourcePath;
    vcss.set(Number(id), { vppbs: vcs.vppbs });
    add(path, vcs.owner);
    for (let b = 0; b < vcs.vppbs; b++) add(`${path}/vppbs/${b}` as ResourcePath, undefined);
  }
  const listed = new Set<string>(objects);
  const exists = (path: string): boolean => {
    const below = /^(.*\/ports\/\d+)\/(?:heads|hosts|tags)\/[^/]+$/.exec(path);
    return listed.has(below?.[1] ?? path);
  };
  const ownerOf = (path: ResourcePath): string | undefined => {
    if (!exists(path)) return undefined;
    const host = /^(.*)\/hosts\/(\d+)$/.exec(path);
    const ofLd = host === null ? undefined : owners.get(`${host[1]}/lds/${host[2]}`);
    if (ofLd !== undefined) return ofLd;
    for (let at: string = path; at.length > 0; at = at.slice(0, at.lastIndexOf('/'))) {
      const owner = owners.get(at);
      if (owner !== undefined) return owner;
    }
    return 'fabric';
  };
  const here: FabricSwitch = { name, ports, vcss };
  return { tenants: [...tenants].sort(), switches: new Map([[name, here]]), ownerOf, exists, objects };
}

/** Acme and globex share a switch: SLDs on ports 3 and 4, an MLD on port 5, a free SLD on 6, nothing in 7. */
export const exampleSpec: FabricSpec = {
  ports: {
    0: { owner: 'acme' },
    1: { owner: 'globex' },
    2: {},
    3: { owner: 'acme' },
    4: { owner: 'globex' },
    5: { lds: 4, ldOwners: { 0: 'acme', 1: 'globex', 3: 'acme' } },
    6: {},
    7: { owner: 'acme' },
    8: { owner: 'acme', lds: 2 },
  },
  vcss: { 0: { vppbs: 4, owner: 'acme' }, 1: { vppbs: 4, owner: 'globex' } },
};

export interface TopologySpec {
  readonly devices: Readonly<
    Record<number, { device: DeviceKind; ldCount?: number; role?: 'usp' | 'dsp'; beside?: readonly number[] }>
  >;
  readonly vcss: Readonly<Record<number, { usp: number; vppbs: readonly Binding[] }>>;
  readonly known?: boolean;
  readonly switchCci?: TopologyView['switchCci'];
  readonly neverSend?: ReadonlyMap<number, string>;
  readonly toleratedEffects?: ReadonlyMap<number, number>;
  readonly maxPayload?: number;
  readonly tagOwners?: Readonly<Record<string, string>>;
  /** CEL by path text (`''`, `5`, `5/ld1`, `5/pool`); `all` where nothing is said: everything, effects 0. */
  readonly cels?: Readonly<Record<string, ReadonlyMap<number, number> | 'unread'>>;
}

export const exampleTopology: TopologySpec = {
  devices: {
    0: { device: 'none', role: 'usp' },
    1: { device: 'none', role: 'usp' },
    2: { device: 'none' },
    3: { device: 'sld' },
    4: { device: 'sld' },
    5: { device: 'mld', ldCount: 4 },
    6: { device: 'sld' },
    7: { device: 'none' },
    8: { device: 'mld', ldCount: 2 },
  },
  vcss: {
    0: { usp: 0, vppbs: [{ kind: 'unbound' }, { kind: 'unbound' }, { kind: 'unbound' }, { kind: 'unbound' }] },
    1: {
      usp: 1,
      vppbs: [{ kind: 'port', port: 4 }, { kind: 'ld', port: 5, ld: 1 }, { kind: 'unbound' }, { kind: 'unbound' }],
    },
  },
};

/** Every opcode with no effects: a CEL that stands in nobody's way. */
const everyOpcode: ReadonlyMap<number, number> = new Map(Array.from({ length: 0x10000 }, (_, opcode) => [opcode, 0]));

export function pathKey(hops: readonly Hop[]): string {
  return hops
    .map((hop) => (hop.kind === 'port' ? `${hop.port}` : hop.kind === 'ld' ? `ld${hop.ld}` : 'pool'))
    .join('/');
}

export function fakeTopology(spec: TopologySpec): TopologyView {
  const component = (hops: readonly Hop[]): Component | 'unknown' => {
    const [first, second] = hops;
    if (first?.kind !== 'port') return 'switch';
    const device = spec.devices[first.port]?.device ?? 'unknown';
    if (device === 'unknown') return 'unknown';
    if (second?.kind === 'ld') return device === 'mld' ? 'ld' : 'none';
    if (second?.kind === 'ldpool') return device === 'mld' ? 'ld-pool-cci' : 'none';
    return device === 'mld' ? 'fm-owned-ld' : device;
  };
  return {
    version: 7,
    known: spec.known ?? true,
    ports: new Map(
      Object.entries(spec.devices).map(([id, { device, ldCount, role, beside }]) => [
        Number(id),
        {
          id: Number(id),
          role: role ?? 'dsp',
          device,
          ldCount: ldCount ?? 0,
          ...(beside === undefined ? {} : { beside }),
        },
      ]),
    ),
    vcss: new Map(Object.entries(spec.vcss).map(([id, vcs]) => [Number(id), { id: Number(id), ...vcs }])),
    switchCci: spec.switchCci ?? 'fm-interface',
    component,
    cel: (hops) => {
      const cel = spec.cels?.[pathKey(hops)] ?? everyOpcode;
      return cel === 'unread' ? undefined : cel;
    },
    neverSend: spec.neverSend ?? new Map(),
    ...(spec.toleratedEffects === undefined ? {} : { toleratedEffects: spec.toleratedEffects }),
    ...(spec.maxPayload === undefined ? {} : { maxPayload: spec.maxPayload }),
    ...(spec.tagOwners === undefined ? {} : { tagOwner: (port, tag) => spec.tagOwners?.[`${port}/${tag}`] }),
  };
}

export const allScopes: readonly TokenScope[] = [
  'cci:read',
  'cci:config',
  'cci:debug-read',
  'cci:debug-write',
  'cci:debug-write-full',
  'cci:raw',
];

export function fakePrincipal(tenant: string, scopes: readonly TokenScope[] = allScopes): Principal {
  const name = `user:https://issuer.example#${tenant}-user`;
  return {
    name,
    names: [name, `group:tenant/${tenant}`],
    tenant,
    scopes,
    issuer: 'https://issuer.example',
    subject: `${tenant}-user`,
    tokenId: `token-of-${tenant}`,
    expiresAtMs: 2_000_000,
  };
}

export function fakePosture(change: Partial<Posture> & { readonly level?: LockdownLevel } = {}): Posture {
  const { level = 'none', ...rest } = change;
  return {
    version: 3,
    lockdown: { effective: level, kernel: 'not-consulted', config: level, runTime: 'none' },
    profile: 'host',
    rawCommands: 'off',
    rawAllowAll: false,
    underLockdown: 'allow',
    taint: { mask: 0, letters: '-', entries: [], acknowledgements: [] },
    ...rest,
  };
}

export interface FakeGrant {
  readonly tenant: string;
  readonly resource: string;
  readonly command: string;
  readonly effect?: 'allow' | 'deny';
  readonly role?: string;
}

/** A mandatory row as policy section 6 has them; absent columns are `*`. */
export interface FakeMandatoryRow {
  readonly id: string;
  readonly level?: Exclude<LockdownLevel, 'none'>;
  readonly taint?: readonly TaintLetter[];
  readonly profile?: Posture['profile'];
  readonly under?: Posture['underLockdown'];
  readonly tenant?: 'not-fabric';
  readonly class?: readonly CommandRef['class'][];
  readonly notClass?: CommandRef['class'];
  readonly reach?: readonly MandatoryFacts['reach'][];
  readonly opcodes?: readonly number[];
  readonly if?: Condition;
  readonly errno?: Errno;
  readonly returnCode?: number;
}

/** The rows of policy section 6 that the tests need, in the shape of the shipped file. */
export const exampleMandatory: readonly FakeMandatoryRow[] = [
  { id: 'L1', level: 'integrity', class: ['raw'] },
  { id: 'L2', level: 'integrity', opcodes: [0x5103, 0x5301, 0x5302] },
  { id: 'L3', level: 'integrity', opcodes: [0x0201, 0x0202] },
  { id: 'L4', level: 'integrity', opcodes: [0x5203, 0x4301] },
  { id: 'L4', level: 'integrity', opcodes: [0x0502], if: 'immediate-effect' },
  { id: 'L5', level: 'integrity', if: 'leaves-tenant' },
  { id: 'L5', level: 'confidentiality', if: 'crosses-tenants' },
  { id: 'L6', level: 'confidentiality', opcodes: [0x0401], if: 'other-log' },
  { id: 'L6', level: 'confidentiality', opcodes: [0x4102, 0x5107] },
  { id: 'L8', level: 'integrity', under: 'reads', notClass: 'allowlisted' },
  { id: 'L8', level: 'integrity', under: 'off' },
  { id: 'T1', taint: ['X', 'M'], notClass: 'allowlisted' },
  { id: 'P1', profile: 'host', class: ['raw'] },
  { id: 'P2', profile: 'host', tenant: 'not-fabric', reach: ['cross-tenant', 'switch', 'opaque'] },
  { id: 'B1', opcodes: [0x5103, 0x5301, 0x5302], if: 'bound', errno: 'EBUSY', returnCode: 2 },
  { id: 'B2', opcodes: [0x5102], if: 'bound-without-mld', errno: 'EBUSY', returnCode: 2 },
  { id: 'Q1', if: 'quirk', errno: 'ENOTTY' },
];

/** Grants that stand in nobody's way: only ownership and the other steps decide. */
export const openGrants: readonly FakeGrant[] = [
  { tenant: '*', resource: '/switches/sw0/*', command: '*', role: 'role:everything' },
];

/** A `RuleEngine` in thirty lines, so that the decision procedure is tested without casbin. */
export function fakeEngine(
  fabric: Fabric,
  grants: readonly FakeGrant[] = openGrants,
  mandatory: readonly FakeMandatoryRow[] = [],
): RuleEngine & { readonly asked: MandatoryFacts[] } {
  const asked: MandatoryFacts[] = [];
  const verdict = (principal: Principal, resource: ResourcePath, command: CommandRef): GrantVerdict => {
    const hits = grants
      .map((row, i) => ({ row, source: `grants.csv:${i + 1}` }))
      .filter(({ row }) => row.tenant === '*' || row.tenant === principal.tenant)
      .filter(({ row }) => resourceMatches(row.resource, resource, fabric, principal.tenant))
      .filter(({ row }) => commandMatches(row.command, command));
    const deciding = hits.find(({ row }) => row.effect === 'deny') ?? hits[0];
    if (deciding === undefined) return { resource, allowed: false };
    const { row, source } = deciding;
    const rule = { source, text: `p, ${row.role ?? 'role:r'}, ${row.tenant}, ${row.resource}, ${row.command}` };
    return { resource, allowed: row.effect !== 'deny', rule };
  };
  return {
    id: 'f'.repeat(64),
    counters: { rules: grants.length, tenants: fabric.tenants.length, roles: 1 },
    fabric,
    loosened: [],
    commands: builtinCommands,
    asked,
    mandatory: (facts) => {
      asked.push(facts);
      return mandatory
        .map((row, i) => ({ row, i }))
        .filter(({ row }) => rowDenies(row, facts))
        .map(denial);
    },
    grant: verdict,
    roles: () => ['role:everything'],
    nearestMiss: (_principal, resource) => ({
      source: 'grants.csv:9',
      text: 'p, role:operator',
      missing: `${resource} is not in it`,
    }),
    rolesThatCould: (_principal, resource) => (resource.includes('/lds/') ? ['role:ld-admin'] : []),
  };
}

function denial({ row, i }: { readonly row: FakeMandatoryRow; readonly i: number }): MandatoryDenial {
  const base = { id: row.id, source: `mandatory.csv:${i + 1}`, reason: `row ${row.id}`, errno: row.errno ?? 'EPERM' };
  return row.returnCode === undefined ? base : { ...base, returnCode: row.returnCode };
}

const levelOrder: readonly LockdownLevel[] = ['none', 'integrity', 'confidentiality'];

function rowDenies(row: FakeMandatoryRow, facts: MandatoryFacts): boolean {
  const { command } = facts;
  return (
    (row.level === undefined || levelOrder.indexOf(facts.level) >= levelOrder.indexOf(row.level)) &&
    (row.under === undefined || row.under === facts.underLockdown) &&
    (row.taint === undefined || row.taint.some((letter) => facts.taint.includes(letter))) &&
    (row.profile === undefined || row.profile === facts.profile) &&
    (row.tenant === undefined || facts.tenant !== 'fabric') &&
    (row.class === undefined || row.class.includes(command.class)) &&
    row.notClass !== command.class &&
    (row.reach === undefined || row.reach.includes(facts.reach)) &&
    (row.opcodes === undefined || row.opcodes.includes(command.opcode)) &&
    (row.if === undefined || facts.conditions.has(row.if))
  );
}

function resourceMatches(selector: string, path: ResourcePath, fabric: Fabric, tenant: string): boolean {
  if (selector === 'own') return fabric.ownerOf(path) === tenant;
  if (!selector.endsWith('/*')) return selector === path;
  const base = selector.slice(0, -2);
  return path === base || path.startsWith(`${base}/`);
}

function commandMatches(selector: string, ref: CommandRef): boolean {
  // What is granted by its slug alone is granted as a typed command.
  if (ref.class === 'raw' && ref.grant !== undefined) return false;
  if (selector === '*') return true;
  const opcodes = /^opcode:0x([0-9a-f]{4})(?:-0x([0-9a-f]{4}))?$/.exec(selector);
  if (opcodes !== null) {
    const from = Number.parseInt(opcodes[1] ?? '', 16);
    return ref.opcode >= from && ref.opcode <= Number.parseInt(opcodes[2] ?? opcodes[1] ?? '', 16);
  }
  if (ref.class === 'raw') return false;
  if (selector === `class:${ref.class}` || selector === `set:${ref.set}`) return ref.grant === undefined;
  return rowBySlug(selector)?.opcode === ref.opcode;
}
