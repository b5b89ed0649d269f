/**
 * Cost of the offline policy tools: `node bench/policy-tools.ts [RULES] [RECORDS]`, by default 10,000 rules and 1,000,000
 * records. Each tool is run as a process of its own, loading included, as a person would run it. `--keep DIR` leaves the
 * generated policies and journal there.
 */
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { buildLine, emptyChain } from '../src/broker/journal/line.ts';
import { LineSlabs } from '../src/broker/journal/line-slabs.ts';
import { type CommandRow, catalogue } from '../src/cci/index.ts';

const words = process.argv.slice(2);
const keepAt = words.indexOf('--keep');
const keep = keepAt === -1 ? undefined : words.splice(keepAt, 2)[1];
const [RULES = 10_000, RECORDS = 1_000_000] = words.map(Number);
const TENANTS = 40;
const PORTS = 120;
const LDS = 4;
const ISSUER = 'https://idp.example';
const root = resolve(import.meta.dirname, '..');
if (keep !== undefined) mkdirSync(keep, { recursive: true });
const directory = keep ?? mkdtempSync(join(tmpdir(), 'cci-policy-bench-'));

/** A small seeded generator, so that two runs measure the same. */
let state = 1;
function int(below: number): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * below);
}
function pick<T>(values: readonly T[]): T {
  const value = values[int(values.length)];
  if (value === undefined) throw new Error('nothing to pick from');
  return value;
}

const rows: readonly CommandRow[] = catalogue;
const slugs = rows
  .filter((row) => row.status === 'verified' && row.claimed === undefined && row.notOffered === undefined)
  .filter((row) => row.grant !== 'never' && row.slug !== 'tunnel-management-command' && row.opcode !== 0)
  .map(({ slug }) => slug);
const selectors = [
  'class:allowlisted',
  'scope:<=1',
  'set:virtual-switch',
  'set:physical-switch',
  'opcode:0xc000-0xc0ff',
  'opcode:0xc123',
];
const tenantName = (number: number): string => `tenant${number}`;
/** Port `p` of a switch is the tenant's whose turn it is. */
const ownPorts = (tenant: number): readonly number[] =>
  Array.from({ length: PORTS / TENANTS }, (_, i) => tenant + i * TENANTS);

function writeFabric(): string {
  const switches = ['sw0', 'sw1']
    .map(
      (name) =>
        `  ${name}:\n    ports:\n      - { ids: 0-${PORTS - 1}, lds: ${LDS} }\n    vcss:\n      - { ids: 0-${TENANTS - 1}, vppbs: 8 }\n`,
    )
    .join('');
  const tenants = Array.from({ length: TENANTS }, (_, tenant) => {
    const owned = ['sw0', 'sw1'].flatMap((name) => [
      ...ownPorts(tenant).map((port) => `      - /switches/${name}/ports/${port}\n`),
      `      - /switches/${name}/vcss/${tenant}\n`,
    ]);
    return `  ${tenantName(tenant)}:\n    owns:\n${owned.join('')}`;
  }).join('');
  const path = join(directory, 'fabric.yaml');
  writeFileSync(path, `switches:\n${switches}tenants:\n${tenants}`);
  return path;
}

function writePolicy(name: string, extra: string): string {
  state = 7;
  const folder = join(directory, name);
  mkdirSync(join(folder, 'tenants'), { recursive: true });
  for (const file of ['model.conf', 'mandatory.csv']) copyFileSync(join(root, 'policies', file), join(folder, file));
  const each = Math.floor(RULES / TENANTS);
  for (let tenant = 0; tenant < TENANTS; tenant += 1) {
    const name = tenantName(tenant);
    const lines = new Set<string>();
    for (let role = 0; role < 12; role += 1) lines.add(`p, role:r${role}, ${name}, own, class:allowlisted, allow`);
    while (lines.size < each * 0.8) {
      const at = `/switches/${pick(['sw0', 'sw1'])}`;
      const port = `${at}/ports/${pick(ownPorts(tenant))}`;
      const place = pick([
        'own',
        port,
        `${port}/*`,
        `${port}/lds/${int(LDS)}`,
        `${at}/vcss/${tenant}/*`,
        `${at}/vcss/${tenant}/vppbs/${int(8)}`,
      ]);
      const command = int(4) === 0 ? pick(selectors) : pick(slugs);
      lines.add(`p, role:r${int(12)}, ${name}, ${place}, ${command}, ${int(25) === 0 ? 'deny' : 'allow'}`);
    }
    lines.add(`g, group:tenant/${name}, role:r0, ${name}`);
    for (let user = 0; lines.size < each; user += 1) {
      lines.add(`g, ${int(2) === 0 ? 'user' : 'group'}:${ISSUER}#n${user}, role:r${int(12)}, ${name}`);
    }
    writeFileSync(join(folder, 'tenants', `${name}.csv`), `${[...lines].join('\n')}\n${tenant === 3 ? extra : ''}`);
  }
  return folder;
}

/** A journal of reads and binds of the tenants' callers, some of them refused. */
function writeJournal(): string {
  const folder = join(directory, 'journal');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const file = openSync(join(folder, 'journal-000001.jsonl'), 'w', 0o600);
  const place = { slabs: new LineSlabs(), maxBytes: Number.POSITIVE_INFINITY };
  let head = emptyChain;
  let waiting: string[] = [];
  const posture = { version: 1, lockdown: 'none', taint: '-', profile: 'host', underLockdown: 'allow' } as const;
  for (let number = 0; number < RECORDS; number += 1) {
    const tenant = int(TENANTS);
    const name = tenantName(tenant);
    const user = int(40);
    const isBind = int(5) === 0;
    const port = pick(ownPorts(tenant));
    const row = pick(
      isBind ? rows.filter(({ opcode }) => opcode === 0x5201) : rows.filter(({ opcode }) => opcode === 0x5101),
    );
    const touched = isBind
      ? [`/switches/sw0/vcss/${tenant}/vppbs/${int(8)}`, `/switches/sw0/ports/${port}/lds/${int(LDS)}`]
      : [`/switches/sw0/ports/${port}`];
    const isDenied = int(10) === 0;
    const body = {
      requestId: `00000000-0000-4000-8000-${number.toString(16).padStart(12, '0')}`,
      source: '127.0.0.1:40000',
      switch: 'sw0',
      principal: `user:${ISSUER}#n${user}`,
      tenant: name,
      tokenId: 'jti:bench',
      groups: [`group:${ISSUER}#n${user % 10}`],
      scopes: ['cci:read', 'cci:config'],
      path: '',
      opcode: row.opcode,
      command: row.slug,
      class: isBind ? ('audited' as const) : ('allowlisted' as const),
      scope: row.scope,
      reach: isBind ? 'own' : 'query',
      touched,
      tenants: [name],
      conditions: isBind ? ['mutating'] : [],
      activeTaint: [],
      verdict: isDenied ? ('deny' as const) : ('allow' as const),
      grants: touched.map((resource) => ({
        resource,
        allowed: !isDenied,
        rule: 'p, role:r0, x, own, class:allowlisted, allow',
        source: 'tenants/x.csv:1',
      })),
      reasons: isDenied
        ? [{ step: 'grant', rule: 'grant', errno: 'EPERM', text: `nothing grants it on ${touched[0]}` }]
        : [],
      payloadDigest: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
      payloadBytes: 8,
      snapshot: '0'.repeat(64),
      topology: 3,
      posture,
      flags: isDenied ? (['denied'] as const) : [],
      returnCodes: [0],
      durationMs: 1,
    };
    const line = buildLine(
      isBind && !isDenied ? 'intent' : 'decision',
      body,
      head,
      '2026-11-23T01:00:00.000Z',
      number,
      place,
    );
    head = line.head;
    waiting.push(line.bytes.toString());
    place.slabs.release(line.slab);
    if (waiting.length === 1000) {
      writeSync(file, waiting.join(''));
      waiting = [];
    }
  }
  writeSync(file, waiting.join(''));
  closeSync(file);
  return folder;
}

interface Measured {
  readonly what: string;
  readonly seconds: number;
  readonly status: number | null;
  readonly peakMib: number;
}

function measure(what: string, args: readonly string[]): Measured {
  const startMs = performance.now();
  const script = `process.on('exit', () => process.stderr.write('\\npeak ' + process.resourceUsage().maxRSS));`;
  const ran = spawnSync(
    process.execPath,
    ['--import', `data:text/javascript,${encodeURIComponent(script)}`, join(root, 'src/cli/main.ts'), ...args],
    { encoding: 'utf8', maxBuffer: 1 << 30 },
  );
  const seconds = (performance.now() - startMs) / 1000;
  const peakMib = Number(/peak (\d+)$/.exec(ran.stderr)?.[1] ?? 0) / 1024;
  if (ran.status !== 0 && ran.status !== 3 && ran.status !== 1) throw new Error(ran.stderr);
  return { what, seconds, status: ran.status, peakMib };
}

try {
  const fabric = writeFabric();
  const before = writePolicy('before', '');
  const after = writePolicy('after', `p, role:r1, tenant3, own, physical-port-control, allow\n`);
  const results = [
    measure('cci --version (what a process costs)', ['--version']),
    measure('policy check', ['policy', 'check', before, '--fabric', fabric]),
    measure('policy diff', ['policy', 'diff', before, after, '--fabric', fabric]),
    measure('policy matrix', ['policy', 'matrix', before, '--fabric', fabric]),
    measure('policy matrix --html', [
      'policy',
      'matrix',
      before,
      '--fabric',
      fabric,
      '--html',
      join(directory, 'matrix.html'),
    ]),
    measure('policy query, yes', [
      'policy',
      'query',
      'can tenant3 ever bind-vppb on /switches/sw0/ports/3',
      '--policy',
      before,
      '--fabric',
      fabric,
    ]),
    measure('policy query, no', [
      'policy',
      'query',
      'can tenant3 ever bind-vppb on /switches/sw0/ports/4',
      '--policy',
      before,
      '--fabric',
      fabric,
    ]),
    measure('policy query, who', [
      'policy',
      'query',
      'who can bind-vppb on /switches/sw0/ports/3/*',
      '--policy',
      before,
      '--fabric',
      fabric,
    ]),
    measure('policy query, no over everything', [
      'policy',
      'query',
      'can anyone ever set-ld-allocations on /switches/*',
      '--policy',
      before,
      '--fabric',
      fabric,
    ]),
  ];
  if (RECORDS > 0) {
    const startMs = performance.now();
    const journal = writeJournal();
    const mib = statSync(join(journal, 'journal-000001.jsonl')).size / (1 << 20);
    console.log(
      `journal: ${RECORDS} records, ${mib.toFixed(0)} MiB, written in ${((performance.now() - startMs) / 1000).toFixed(1)} s`,
    );
    results.push(
      measure('policy replay', ['policy', 'replay', '--journal', journal, '--policy', before, '--fabric', fabric]),
      measure('policy learn', [
        'policy',
        'learn',
        '--journal',
        journal,
        '--tenant',
        'tenant3',
        '--policy',
        before,
        '--fabric',
        fabric,
      ]),
    );
  }
  console.log(`${RULES} rules, ${TENANTS} tenants, ${2 * (PORTS * (LDS + 2) + TENANTS * 9 + 1)} objects\n`);
  for (const { what, seconds, status, peakMib } of results) {
    console.log(
      `${what.padEnd(40)} ${seconds.toFixed(2).padStart(7)} s  ${peakMib.toFixed(0).padStart(5)} MiB  status ${status}`,
    );
  }
} finally {
  if (keep === undefined) rmSync(directory, { recursive: true, force: true });
}
