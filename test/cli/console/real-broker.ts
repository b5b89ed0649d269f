import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { cp, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { newRecordingKey, readRecording } from '../../../src/broker/recording/index.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const CCI = join(ROOT, 'src/cli/main.ts');
const run = promisify(execFile);

/** A broker as it is started in the field: its own process, with consoles, encrypted recordings and a policy of its own. */
export interface RealBroker {
  readonly directory: string;
  /** Goes through a relay that the test can cut. */
  readonly url: string;
  readonly process: ChildProcess;
  readonly privateKeyFile: string;
  token(subject: 'ann' | 'bob', scope: string): Promise<string>;
  /** `cci` beside the broker. */
  cci(...words: readonly string[]): Promise<{ readonly code: number; readonly out: string; readonly err: string }>;
  /** Cuts all connections, and takes no new ones until `mend`. */
  cut(): void;
  mend(): void;
  /** Ids of the recordings. */
  recordings(): Promise<readonly string[]>;
  /** What a recording says that was shown, or typed. */
  recorded(id: string, code?: 'o' | 'i' | 'm' | 'r'): Promise<Buffer>;
  close(): Promise<void>;
}

/** @param section further lines of `console`, @param more further lines of the configuration */
export async function realBroker(
  programs: { readonly [name: string]: string },
  section: readonly string[] = [],
  more: readonly string[] = [],
): Promise<RealBroker> {
  const directory = await mkdtemp(join(tmpdir(), 'console-'));
  const config = join(directory, 'broker.yaml');
  const pair = newRecordingKey();
  const privateKeyFile = join(directory, 'private.pem');
  await writeFile(privateKeyFile, pair.privateKey, { mode: 0o600 });
  await writeFile(join(directory, 'public.pem'), pair.publicKey);
  await policy(directory, Object.keys(programs));
  await writeFile(config, configuration(programs, section, more));
  const { child, port } = await serve(config);
  const relay = await relayTo(port);
  const cci = async (...words: readonly string[]) => {
    const asked = run(process.execPath, [CCI, ...words, '--config', config], { cwd: ROOT, maxBuffer: 1 << 26 });
    const { stdout, stderr } = await asked.catch((error: { stdout: string; stderr: string }) => error);
    const { exitCode } = asked.child;
    return { code: exitCode ?? -1, out: stdout, err: stderr };
  };
  return {
    directory,
    url: `http://127.0.0.1:${relay.port}`,
    process: child,
    privateKeyFile,
    cci,
    cut: relay.cut,
    mend: relay.mend,
    async token(subject, scope) {
      const issued = await cci('token', 'issue', '--tenant', 'fabric', '--subject', subject, '--scope', scope);
      return issued.out.trim();
    },
    async recordings() {
      const names = await readdir(join(directory, 'state/recordings')).catch((): string[] => []);
      return names.map((name) => name.replace(/\..*/, ''));
    },
    async recorded(id, code = 'o') {
      const path = join(directory, 'state/recordings', `${id}.cast.jwe`);
      const parts: Uint8Array[] = [];
      for await (const event of (await readRecording(path, pair.privateKey)).events()) {
        if (event.code === code)
          parts.push(code === 'o' || code === 'i' ? event.bytes : Buffer.from(`${event.text}\n`));
      }
      return Buffer.concat(parts);
    },
    async close() {
      relay.close();
      child.kill('SIGKILL');
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function policy(directory: string, programs: readonly string[]): Promise<void> {
  await cp(join(ROOT, 'policies'), join(directory, 'policies'), { recursive: true });
  const rows = programs.flatMap((name) => [
    `p, role:console, fabric, /switches/sw0, console:${name}, allow`,
    `p, role:second, fabric, /switches/sw0, console-approve:${name}, allow`,
  ]);
  const people = [
    'g, user:https://cci-broker.local/dev#ann, role:console, fabric',
    'g, user:https://cci-broker.local/dev#bob, role:second, fabric',
  ];
  await writeFile(join(directory, 'policies/tenants/fabric.csv'), `${[...rows, ...people].join('\n')}\n`, {
    flag: 'a',
  });
}

function configuration(
  programs: { readonly [name: string]: string },
  section: readonly string[],
  more: readonly string[],
): string {
  const user = process.getuid?.() === 0 ? ', user: nobody' : '';
  return [
    'profile: bmc',
    'http: { host: 127.0.0.1, port: 8420 }',
    'state_directory: state',
    `fabric: ${join(ROOT, 'config/fabric.yaml')}`,
    'policy: { directory: policies }',
    "issuers: [{ kind: development, tenants: ['*', fabric] }]",
    'raw_commands: taints-this-switch',
    `switches: { sw0: { backend: { kind: emulator, topology: ${join(ROOT, 'config/topologies/small.yaml')} } } }`,
    ...more,
    'console:',
    '  programs:',
    ...Object.entries(programs).map(
      ([name, keys]) => `    ${name}: { switch: sw0, ${keys}${user}, limits: { processes: 5000 } }`,
    ),
    '  recording: { public_key_file: public.pem }',
    ...section.map((line) => `  ${line}`),
    '',
  ].join('\n');
}

async function serve(config: string): Promise<{ readonly child: ChildProcess; readonly port: number }> {
  const words = [CCI, 'serve', '--config', config, '--port', '0'];
  const child = spawn(process.execPath, words, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  const port = await new Promise<number>((resolve, reject) => {
    const listen = (data: Buffer): void => {
      said += data;
      const found = /listening +http:\/\/127\.0\.0\.1:(\d+)/.exec(said)?.[1];
      if (found !== undefined) resolve(Number(found));
    };
    child.stdout?.on('data', listen);
    child.stderr?.on('data', listen);
    child.once('exit', () => reject(new Error(`the broker did not start: ${said}`)));
  });
  return { child, port };
}

async function relayTo(port: number): Promise<{ port: number; cut(): void; mend(): void; close(): void }> {
  const open = new Set<Socket>();
  let isCut = false;
  const relay: Server = createServer((near) => {
    if (isCut) {
      near.destroy();
      return;
    }
    const far = connect(port, '127.0.0.1');
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        open.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  });
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
  const address = relay.address();
  const cut = (): void => {
    isCut = true;
    for (const one of open) one.destroy();
  };
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    cut,
    mend: () => {
      isCut = false;
    },
    close: () => {
      cut();
      relay.close();
    },
  };
}
