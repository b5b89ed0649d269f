import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type {
  ConsoleOpened,
  ConsolePage,
  ConsoleRequestView,
  CoreResult,
  Credential,
  Problem,
} from '../../../src/broker/core-api.ts';
import { smallParts } from '../../isolation/small-fabric.ts';
import { type BrokerFixture, type BrokerParts, startBrokerFixture } from '../../support/broker-fixture.ts';

/** Brokers with consoles: real programs in real terminals, over the emulated switch. */

export const OPEN = ['cci:read', 'cci:console'] as const;
export const APPROVE = ['cci:read', 'cci:approve'] as const;
export const REASON = 'the link of port 3 does not train';

/** Programs of tests run as somebody else where that is possible, as they do in the field. */
export const asUser = process.getuid?.() === 0 ? 'user: nobody' : '';

export interface ConsoleParts {
  /** Further keys of the section `console`, such as `approval: required`. */
  readonly section?: string;
  /** Program to its keys, as one line of YAML. */
  readonly programs?: { readonly [name: string]: string };
  /** Further rows of `tenants/fabric.csv`. */
  readonly rows?: string;
  readonly broker?: Partial<BrokerParts>;
}

const NAMES = ['alice', 'bob', 'carol'] as const;
export type Name = (typeof NAMES)[number];
const ISSUER = 'https://cci-broker.local/dev';

/** A shell without anybody's start-up files. */
export const SHELL = "path: /bin/bash, arguments: ['--norc', '--noprofile'], environment: { PS1: '$ ' }";

/** A program that is a line of shell. */
export function script(line: string, more = ''): string {
  return `path: /bin/sh, arguments: ['-c', ${JSON.stringify(line)}]${more === '' ? '' : `, ${more}`}`;
}

/** alice and bob may open `tool`, carol and bob may confirm it. */
export async function startConsoleBroker(parts: ConsoleParts = {}): Promise<BrokerFixture> {
  const small = await smallParts();
  const programs = { tool: SHELL, ...parts.programs };
  const rows = Object.keys(programs).flatMap((name) => [
    `p, role:console, fabric, /switches/sw0, console:${name}, allow`,
    `p, role:second, fabric, /switches/sw0, console-approve:${name}, allow`,
  ]);
  const links = [
    `g, user:${ISSUER}#alice, role:console, fabric`,
    `g, user:${ISSUER}#bob, role:console, fabric`,
    `g, user:${ISSUER}#bob, role:second, fabric`,
    `g, user:${ISSUER}#carol, role:second, fabric`,
  ];
  const grants = new Map(small.grants);
  grants.set('fabric', [grants.get('fabric') ?? '', ...rows, ...links, parts.rows ?? ''].join('\n'));
  const lines = [
    'console:',
    '  programs:',
    ...Object.entries(programs).map(([name, keys]) => {
      const user = asUser === '' || keys.includes('user:') ? '' : `, ${asUser}`;
      const limits = keys.includes('limits:') ? '' : ', limits: { processes: 5000 }';
      return `    ${name}: { switch: sw0, ${keys}${user}${limits} }`;
    }),
    ...(parts.section ?? '').split('\n').map((line) => `  ${line}`),
  ];
  return startBrokerFixture({
    ...small,
    profile: 'bmc',
    rawCommands: 'taints-this-switch',
    ...parts.broker,
    grants,
    moreConfig: [...lines, parts.broker?.moreConfig ?? ''].join('\n'),
  });
}

export function caller(broker: BrokerFixture, subject: Name, scopes: readonly string[] = OPEN): Promise<Credential> {
  return broker.credential('fabric', { subject, scopes });
}

export function value<T>(result: CoreResult<T>): T {
  if (!result.ok) throw new Error(`${result.problem.code}: ${result.problem.detail}`);
  return result.value;
}

export function problem<T>(result: CoreResult<T>): Problem {
  if (result.ok) throw new Error(`not refused: ${JSON.stringify(result.value)}`);
  return result.problem;
}

/** Somebody at a console. */
export class Desk {
  readonly broker: BrokerFixture;
  readonly credential: Credential;
  readonly opened: ConsoleOpened;
  readonly #owner: boolean;
  #after: number;
  #change = 0;
  #typed = 0;
  /** Everything that was read, one character for each byte. */
  text = '';
  bytes = 0;
  page: ConsolePage | undefined;

  constructor(broker: BrokerFixture, credential: Credential, opened: ConsoleOpened, owner = true) {
    this.broker = broker;
    this.credential = credential;
    this.opened = opened;
    this.#owner = owner;
    this.#after = opened.offset;
  }

  get seat() {
    return { session: this.opened.session.id, seat: this.opened.seat };
  }

  async read(waitMs = 2000, acknowledge = true): Promise<ConsolePage> {
    const page = value(
      await this.broker.core.consoleRead(this.credential, 'sw0', {
        ...this.seat,
        after: this.#after,
        ...(this.#owner && acknowledge ? { acknowledged: this.#after } : {}),
        change: this.#change,
        waitMs,
      }),
    );
    this.#after = page.offset + page.output.length;
    this.#change = page.change;
    this.bytes += page.output.length;
    this.text += Buffer.from(page.output).toString('latin1');
    this.page = page;
    return page;
  }

  /** Reads until the text is there. */
  async until(wanted: string | RegExp, ms = 20_000): Promise<string> {
    const end = Date.now() + ms;
    const isThere = () => (typeof wanted === 'string' ? this.text.includes(wanted) : wanted.test(this.text));
    while (!isThere()) {
      const page = await this.read(200);
      if (isThere()) break;
      if (page.ended !== undefined || Date.now() > end) {
        throw new Error(
          `never came: ${wanted}; ${JSON.stringify(page.ended)} ${JSON.stringify(this.text.slice(-500))}`,
        );
      }
    }
    return this.text;
  }

  async end(ms = 20_000): Promise<NonNullable<ConsolePage['ended']>> {
    const until = Date.now() + ms;
    for (;;) {
      const { ended } = await this.read(500);
      if (ended !== undefined) return ended;
      if (Date.now() > until) throw new Error(`does not end: ${this.text.slice(-300)}`);
    }
  }

  async type(text: string | Uint8Array): Promise<void> {
    const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : text;
    const input = { ...this.seat, offset: this.#typed, bytes };
    this.#typed = value(await this.broker.core.consoleWrite(this.credential, 'sw0', input)).inputOffset;
  }

  async close(): Promise<void> {
    value(await this.broker.core.consoleClose(this.credential, 'sw0', this.seat));
    await this.end();
  }
}

export function ask(broker: BrokerFixture, who: Credential, program = 'tool', reason = REASON) {
  return broker.core.consoleRequest(who, 'sw0', { program, reason });
}

export async function opened(
  broker: BrokerFixture,
  who: Credential,
  program = 'tool',
  request?: ConsoleRequestView,
): Promise<Desk> {
  const asked = request ?? value(await ask(broker, who, program));
  return new Desk(broker, who, value(await broker.core.consoleOpen(who, 'sw0', asked.id, 80, 24)));
}

export async function watching(broker: BrokerFixture, who: Credential, desk: Desk): Promise<Desk> {
  const seat = value(await broker.core.consoleWatch(who, 'sw0', desk.opened.session.id));
  return new Desk(broker, who, seat, false);
}

export interface Line {
  readonly kind: string;
  readonly [member: string]: unknown;
}

/** Records of the journal, oldest first. */
export async function journal(broker: BrokerFixture): Promise<readonly Line[]> {
  await broker.flushJournal();
  const directory = join(broker.directory, 'state', 'journal');
  const names = (await readdir(directory)).filter((name) => name.endsWith('.jsonl') || name.endsWith('.log')).sort();
  const texts = await Promise.all(names.map((name) => readFile(join(directory, name), 'utf8')));
  return texts.flatMap((text) => text.split('\n').filter(Boolean)).map((line) => JSON.parse(line) as Line);
}

/** Events of a recording: `[seconds, kind, data]`. */
export async function recording(
  broker: BrokerFixture,
  session: string,
): Promise<readonly (readonly [number, string, string])[]> {
  const text = await readFile(join(broker.directory, 'state', 'recordings', `${session}.cast`), 'utf8');
  return text
    .split('\n')
    .filter(Boolean)
    .slice(1)
    .map((line) => JSON.parse(line) as [number, string, string]);
}

/** Processes that still carry the mark of a session, whatever became of its terminal. */
export async function processesOf(desk: Desk): Promise<readonly string[]> {
  return marked(desk.opened.session.id);
}

export async function marked(session: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const environment = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '');
    if (environment.includes(`CCI_CONSOLE_SESSION=${session}`)) {
      found.push((await readFile(`/proc/${pid}/cmdline`, 'latin1').catch(() => '')).replaceAll('\0', ' '));
    }
  }
  return found;
}

/** Ends whatever a test that failed has left open, so that it alone fails. */
export async function tidy(broker: BrokerFixture): Promise<void> {
  for (const name of NAMES) {
    const who = await caller(broker, name, [...OPEN, 'cci:approve']);
    for (let turn = 0; turn < 200; turn++) {
      const listed = await broker.core.consoles(who, 'sw0');
      if (!listed.ok) break;
      const { sessions, requests } = listed.value;
      for (const { id } of sessions) await broker.core.consoleKill(who, 'sw0', id, 'the test is over');
      for (const { id, state } of requests) {
        if (state === 'waiting' || state === 'ready') await broker.core.consoleDeny(who, 'sw0', id, 'the test is over');
      }
      if (sessions.length === 0) break;
      await new Promise((done) => setTimeout(done, 20));
    }
  }
}
