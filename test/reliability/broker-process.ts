import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { issueDevelopmentToken } from '../../src/broker/auth/index.ts';
import { openSigningKey, verifyJournal } from '../../src/broker/journal/index.ts';
import { tokenScopes } from '../../src/policy/index.ts';
import { selfSigned, type TestCertificate } from '../support/certificates.ts';
import { eventually } from '../support/eventually.ts';
import { journalRecords } from '../support/journal-records.ts';
import type { Order, PreloadPlan } from './preload.ts';

const root = new URL('../..', import.meta.url).pathname;

export interface BrokerWish {
  readonly edge?: 'same' | 'separate';
  readonly tls?: boolean;
  /** More of the configuration, YAML at top level. */
  readonly config?: string;
  readonly limits?: PreloadPlan['limits'];
  readonly nodeFlags?: readonly string[];
  readonly environment?: { readonly [name: string]: string };
  /** What is put in front of the command: `ip netns exec NAME`. */
  readonly through?: readonly string[];
  /** Where the state is to be; a directory beside the configuration if not given. */
  readonly state?: string;
}

export interface Who {
  readonly tenant: string;
  readonly ttlMs?: number;
}

/** One installation: a configuration, a state directory, and a log of what reached its device, over all its lives. */
export class Installation {
  readonly directory: string;
  readonly state: string;
  readonly certificate: TestCertificate | undefined;
  readonly #wish: BrokerWish;
  readonly #deviceLog: string;
  readonly #config: string;
  #running: Running | undefined;

  constructor(wish: BrokerWish = {}) {
    this.#wish = wish;
    this.directory = mkdtempSync(join(tmpdir(), 'cci-reliability-'));
    this.state = wish.state ?? join(this.directory, 'state');
    mkdirSync(this.state, { recursive: true, mode: 0o700 });
    this.#deviceLog = join(this.directory, 'device.log');
    this.#config = join(this.directory, 'broker.yaml');
    this.certificate = wish.tls === true ? selfSigned() : undefined;
    if (this.certificate !== undefined) {
      writeFileSync(join(this.directory, 'tls.pem'), this.certificate.certificate);
      writeFileSync(join(this.directory, 'tls.key'), this.certificate.key, { mode: 0o600 });
    }
    const tls = wish.tls === true ? ', tls: { certificate: tls.pem, key: tls.key }' : '';
    writeFileSync(
      this.#config,
      `profile: host
http: { host: 127.0.0.1, port: 0${tls} }
edge: { process: ${wish.edge ?? 'same'} }
state_directory: ${this.state}
fabric: ${root}config/fabric.yaml
policy: { directory: ${root}policies, reload: manual, crosscheck: off }
issuers: [{ kind: development, tenants: ['*', fabric] }]
lockdown: { level: none }
raw_commands: off
switches: { sw0: { backend: { kind: emulator, topology: ${root}config/topologies/small.yaml } } }
${wish.config ?? ''}
`,
    );
  }

  /** Starts a broker and waits until it listens. */
  async start(): Promise<Running> {
    const { edge: _edge, ...wish } = this.#wish;
    const plan: PreloadPlan = {
      deviceLog: this.#deviceLog,
      ...(wish.limits === undefined ? {} : { limits: wish.limits }),
    };
    const [command = '', ...words] = [
      ...(wish.through ?? []),
      process.execPath,
      '--disable-warning=ExperimentalWarning',
      ...(wish.nodeFlags ?? []),
      ...['--import', new URL('preload.ts', import.meta.url).href],
      ...[join(root, 'bin/cci.js'), 'serve', '--config', this.#config],
    ];
    const began = performance.now();
    const child = spawn(command, words, {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: { ...process.env, ...wish.environment, RELIABILITY_PLAN: JSON.stringify(plan) },
    });
    const running = new Running(child, this);
    this.#running = running;
    await running.listening();
    running.startedMs = performance.now() - began;
    return running;
  }

  token({ tenant, ttlMs }: Who): Promise<string> {
    const groups = [tenant === 'fabric' ? 'fabric-admins' : 'operators'];
    return issueDevelopmentToken({
      directory: join(this.state, 'issuer'),
      ...{ tenant, subject: 'alice', groups, scopes: tokenScopes },
      ...(ttlMs === undefined ? {} : { ttlMs }),
    }).then(({ token }) => token);
  }

  /** Opcodes that reached the device, oldest first. */
  reached(): readonly number[] {
    if (statSync(this.#deviceLog, { throwIfNoEntry: false }) === undefined) return [];
    const lines = readFileSync(this.#deviceLog, 'utf8').split('\n');
    return lines.filter((line) => line !== '').map((line) => Number.parseInt(line, 16));
  }

  /** What is on disk now, in its segment or ahead of it. */
  async records(): Promise<readonly JournalLine[]> {
    return (await journalRecords(this.state)) as readonly JournalLine[];
  }

  /** What is on disk once every intent has its outcome there, for which nobody waits. */
  async #settledRecords(): Promise<readonly JournalLine[]> {
    const open = async () => {
      const records = await this.records();
      const ended = new Set(records.flatMap(({ kind, intent }) => (kind === 'outcome' ? [intent] : [])));
      return records.filter(({ kind, seq }) => kind === 'intent' && !ended.has(seq));
    };
    await eventually(open).toEqual([]);
    return this.records();
  }

  /**
   * What every fault is held to, once it is over: each change that reached the device has its intent, every intent has
   * its outcome, and the journal is whole and signed.
   */
  async nothingLost(): Promise<Kept> {
    const records = await this.#settledRecords();
    const outcomes = new Map(records.flatMap((one) => (one.kind === 'outcome' ? [[one.intent, one.outcome]] : [])));
    const kept: Kept = { changes: 0, done: 0, notSent: 0, unknown: 0, records: records.length };
    for (const opcode of [0x5201, 0x5202]) {
      const reached = this.reached().filter((one) => one === opcode).length;
      const ends = records
        .filter((one) => one.kind === 'intent' && one.opcode === opcode)
        .map(({ seq }) => outcomes.get(seq));
      const count = (end: string): number => ends.filter((one) => one === end).length;
      expect(count('done'), 'each command that is recorded as done has reached the device').toBeLessThanOrEqual(
        reached,
      );
      expect(reached, 'each change that reached the device has its intent').toBeLessThanOrEqual(
        count('done') + count('unknown'),
      );
      expect(
        ends.filter((end) => end === undefined),
        'each intent has its outcome',
      ).toEqual([]);
      kept.changes += reached;
      kept.done += count('done');
      kept.notSent += count('not-sent');
      kept.unknown += count('unknown');
    }
    const { signer } = await openSigningKey(join(this.state, 'journal-signing-key.pem'), { make: false });
    const verdict = await verifyJournal(join(this.state, 'journal'), { keys: [signer.publicKey] });
    expect(verdict.problems).toEqual([]);
    expect(verdict.intact).toBe(true);
    return kept;
  }

  /** Ends what still runs and removes everything. */
  async remove(): Promise<void> {
    this.#running?.kill();
    await this.#running?.ended;
    rmSync(this.directory, { recursive: true, force: true });
  }
}

export interface JournalLine {
  readonly seq: number;
  readonly kind: string;
  readonly [member: string]: unknown;
}

export interface Kept {
  /** Changes that reached the device. */
  changes: number;
  done: number;
  notSent: number;
  unknown: number;
  records: number;
}

/** One life of the broker. */
export class Running {
  readonly installation: Installation;
  readonly ended: Promise<{ readonly code: number | null; readonly signal: string | null }>;
  said = '';
  startedMs = 0;
  readonly #child: ChildProcess;
  #has = true;

  constructor(child: ChildProcess, installation: Installation) {
    this.#child = child;
    this.installation = installation;
    child.stderr?.on('data', (text: Buffer) => {
      this.said = (this.said + text.toString()).slice(-200_000);
    });
    this.ended = new Promise((resolve) => {
      child.once('close', (code, signal) => {
        this.#has = false;
        resolve({ code, signal });
      });
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get isAlive(): boolean {
    return this.#has;
  }

  /** The process of the listeners, where that is one of its own. */
  get edgePid(): number {
    return Number(/a process of its own \((\d+)\)/.exec(this.said)?.[1] ?? this.pid);
  }

  get port(): number {
    return Number(/listening\s+https?:\/\/127\.0\.0\.1:(\d+)/.exec(this.said)?.[1]);
  }

  async listening(): Promise<void> {
    while (!/^ {2}next/m.test(this.said) && !/export CCI_URL/.test(this.said)) {
      if (!this.#has) throw new Error(`the broker does not start: ${this.said}`);
      await new Promise((done) => setTimeout(done, 20));
    }
  }

  /** Has a fault brought about inside. */
  async order(order: Order): Promise<void> {
    const heard = new Promise((done) => this.#child.once('message', done));
    this.#child.send(order);
    await heard;
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  kill(): void {
    if (this.#has) this.#child.kill('SIGKILL');
  }

  /** Asked to stop, and gone. */
  async stop(): Promise<void> {
    this.signal('SIGTERM');
    await this.ended;
  }

  /** Resident memory of a process, MiB. */
  memory(pid: number = this.pid): number {
    const kib = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return Math.round(Number(kib) / 1024);
  }

  descriptors(pid: number = this.pid): number {
    return readdirSync(`/proc/${pid}/fd`).length;
  }
}
