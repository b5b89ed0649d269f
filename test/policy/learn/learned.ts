import { rowBySlug } from '../../../src/cci/index.ts';
import { learn, learnedCsv, UsageCollector } from '../../../src/policy/learn/index.ts';
import { fabric, fabricOf } from '../load/fixture.ts';
import { sideOf } from '../meaning/sides.ts';

const DEV = 'https://cci-broker.local/dev';

/** One case of `learned.yaml`. */
export interface LearnedCase {
  readonly name: string;
  /** `1 alice operators: bind-vppb on slot 0 + ld 0`, at its end `raw`, `old`, `denied` or `of globex`. */
  readonly records: readonly string[];
  readonly rows?: readonly string[];
  readonly globex?: readonly string[];
  readonly allowance?: number;
  /** Another fabric than the shipped one. */
  readonly fabric?: 'wide';
  readonly file: string;
}

const usual = [
  'p, role:reader, acme, own, class:allowlisted, allow',
  'p, role:op, acme, own, bind-vppb, allow',
  'p, role:op, acme, own, unbind-vppb, allow',
  'g, group:tenant/acme, role:reader, acme',
  'g, group:DEV#operators, role:op, acme',
];

const fabrics = {
  wide: fabricOf(
    'switches: { sw0: { ports: [{ ids: 0 }], vcss: [{ ids: 0, vppbs: 12 }] } }\ntenants: { acme: { owns: [/switches/sw0/vcss/0] } }\n',
  ),
};

const places: { readonly [word: string]: (id: string) => string } = {
  port: (id) => `/switches/sw0/ports/${id}`,
  ld: (id) => `/switches/sw0/ports/3/lds/${id}`,
  slot: (id) => `/switches/sw0/vcss/0/vppbs/${id}`,
  host: (id) => `/switches/sw0/ports/2/hosts/${id}`,
  tag: (id) => `/switches/sw0/ports/2/tags/00000000-0000-0000-0000-00000000000${id}`,
};

function placeOf(text: string): string {
  const [word = '', id = ''] = text.split(' ');
  const place = places[word]?.(id);
  if (place === undefined) throw new Error(text);
  return place;
}

const ENDS = / (raw|old|denied|of globex)$/;

function recordOf(text: string, i: number): { readonly [member: string]: unknown } {
  const end = ENDS.exec(text)?.[1];
  const [head = '', tail = ''] = text.replace(ENDS, '').split(': ');
  const [, minute = '', who = ''] = /^(\d+) (.*)$/.exec(head) ?? [];
  const [user = '', ...groups] = who.startsWith('Very') ? [encodeURIComponent(who)] : who.split(' ');
  const [subject = '', issuer] = user.split('@');
  const [command = '', where = ''] = tail.split(' on ');
  const row = rowBySlug(command);
  const isRaw = end === 'raw';
  return {
    seq: i + 1,
    requestId: `r-${i}`,
    at: `2026-11-01T10:${minute.padStart(2, '0')}:00.000Z`,
    switch: 'sw0',
    principal: `user:${issuer === undefined ? DEV : `https://${issuer}`}#${subject}`,
    tenant: end === 'of globex' ? 'globex' : 'acme',
    groups: groups.map((group) => `group:${DEV}#${group}`),
    scopes: [],
    opcode: row?.opcode ?? 0xc010,
    command: row === undefined && isRaw ? 'opcode:0xc010' : command,
    class: isRaw ? 'raw' : row?.allowlisted === undefined ? 'audited' : 'allowlisted',
    scope: row?.scope ?? 3,
    reach: 'query',
    touched: where.split(' + ').map(placeOf),
    conditions: [],
    activeTaint: [],
    verdict: end === 'denied' ? 'deny' : 'allow',
    ...(end === 'old'
      ? {}
      : { posture: { version: 1, lockdown: 'none', taint: '-', profile: 'host', underLockdown: 'allow' } }),
  };
}

/** The file that is learned from the records. The id of the policy is `POLICY`. */
export async function learnedFile(one: Omit<LearnedCase, 'file'>): Promise<string> {
  const textOf = (rows: readonly string[]): string => rows.map((row) => `${row.replaceAll('DEV', DEV)}\n`).join('');
  const tenants = {
    acme: textOf([...usual, ...(one.rows ?? [])]),
    ...(one.globex === undefined ? {} : { globex: textOf(one.globex) }),
  };
  const side = await sideOf(tenants, { fabric: one.fabric === undefined ? fabric : fabrics[one.fabric] });
  const collector = new UsageCollector(side, 'acme');
  for (const [i, record] of one.records.entries()) collector.take(recordOf(record, i));
  const found = await learn(side, 'acme', collector.usage(), one.allowance);
  const csv = learnedCsv(found, { snapshot: side.engine.id, allowance: one.allowance });
  return csv.replaceAll(DEV, 'DEV').replace(`policy ${side.engine.id.slice(0, 12)}.`, 'policy POLICY.');
}
