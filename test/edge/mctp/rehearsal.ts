import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { type ServedEmulator, serveEmulator } from '../../../src/backend/emulator/index.ts';
import { issueDevelopmentToken } from '../../../src/broker/auth/index.ts';
import { type RunningBroker, startBroker } from '../../../src/broker/index.ts';
import type { Dialect } from '../../../src/cci/index.ts';
import { openMctpListener } from '../../../src/edge/index.ts';

const config = new URL('../../../config/', import.meta.url);
const topology = new URL('topologies/default-32.yaml', config).pathname;

const AT_ONCE = {
  bindMs: 0,
  unbindMs: 0,
  hostReleaseMs: 0,
  linkTrainingMs: 0,
  sanitizeMs: 0,
  scanMs: 0,
  firmwareMs: 0,
  logMs: 0,
  maintenanceMs: 0,
  hostAnswerMs: 0,
} as const;

/** The shipped rehearsal: a switch below the broker, and a second one like it to be asked without the broker. */
export interface Rehearsal extends AsyncDisposable {
  /** Port of the switch that nobody stands in front of. */
  readonly direct: number;
  /** Ports of the broker's listeners: everything granted, and the tenant with little. */
  readonly open: number;
  readonly guest: number;
  /** Opcodes that reached the switch below the broker, the broker's own readings at the start left out. */
  readonly requests: number[];
  readonly broker: RunningBroker;
  readonly upstream: ServedEmulator;
  readonly directory: string;
  token(tenant: string, ttlMs?: number): Promise<string>;
  /** Connections that the switch below the broker has now. */
  connections(): Promise<number>;
  /** Puts a new switch in the place of one that was closed. */
  restartUpstream(): Promise<void>;
}

/** Brings config/rehearsal-mctp.yaml up on free ports, in either dialect. `change` may alter its text. */
export async function startRehearsal(
  dialect: Dialect = 'jackrabbit',
  change: (text: string) => string = (text) => text,
): Promise<Rehearsal> {
  const serve = (port = 0) => serveEmulator({ topology, port, dialect, support: 'all', seed: 1, timing: AT_ONCE });
  const [direct, upstream] = await Promise.all([serve(), serve()]);
  const directory = await mkdtemp(join(tmpdir(), 'cci-rehearsal-'));
  const text = (await readFile(new URL('rehearsal-mctp.yaml', config), 'utf8'))
    .replaceAll('../var/rehearsal', directory)
    .replaceAll('../policies', new URL('../policies', config).pathname)
    .replaceAll('fabric-rehearsal.yaml', new URL('fabric-rehearsal.yaml', config).pathname)
    .replaceAll('port: 2508', `port: ${upstream.address.port}`)
    .replaceAll(/port: (2509|2510|8420)/g, 'port: 0')
    .replaceAll('dialect: jackrabbit', `dialect: ${dialect}`)
    .replaceAll('cel: none', dialect === 'spec' ? 'cel: read' : 'cel: none');
  await mkdir(join(directory, 'issuer'), { recursive: true });
  await writeFile(join(directory, 'broker.yaml'), change(text));
  const token = async (tenant: string, ttlMs = 3_600_000): Promise<string> => {
    const scopes = ['cci:read', 'cci:config', 'cci:debug-read', 'cci:debug-write', 'cci:debug-write-full'];
    const issued = await issueDevelopmentToken({
      directory: join(directory, 'issuer'),
      tenant,
      subject: 'tool',
      groups: [],
      scopes,
      ttlMs,
    });
    return issued.token;
  };
  for (const tenant of ['fabric', 'guest']) await writeFile(join(directory, `${tenant}.token`), await token(tenant));
  const requests: number[] = [];
  const { emulator } = upstream;
  const execute = emulator.execute.bind(emulator);
  emulator.execute = (opcode, payload, spoken) => {
    requests.push(opcode);
    return execute(opcode, payload, spoken);
  };
  const broker = await startBroker(join(directory, 'broker.yaml'), {
    log: pino({ level: 'silent' }),
  });
  const listeners = await Promise.all(
    broker.config.listeners.map(({ tls: _tls, ...one }) => openMctpListener(broker.core, one, { log: broker.log })),
  );
  requests.length = 0;
  const [open, guest] = listeners;
  let again: ServedEmulator | undefined;
  return {
    direct: direct.address.port,
    open: open?.port ?? 0,
    guest: guest?.port ?? 0,
    requests,
    broker,
    upstream,
    directory,
    token,
    connections: () => connectionsTo(upstream.address.port),
    async restartUpstream() {
      again = await serve(upstream.address.port);
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(listeners.map((listener) => listener.close()));
      await broker.close();
      await Promise.all([direct.close(), upstream.close(), again?.close()]);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Established connections to a port of this machine, by the kernel's table. */
async function connectionsTo(port: number): Promise<number> {
  const table = await readFile('/proc/net/tcp', 'utf8');
  const local = port.toString(16).toUpperCase().padStart(4, '0');
  return table.split('\n').filter((line) => new RegExp(`^ *\\d+: [0-9A-F]+:${local} [0-9A-F:]+ 01 `).test(line)).length;
}
