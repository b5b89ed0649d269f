import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import type { CoreApi } from '../../src/broker/core-api.ts';
import { encodeMessage } from '../../src/cci/index.ts';
import { type EdgeHost, type RunningEdge, startSeparateEdge } from '../../src/cli/separate-edge.ts';
import type { EdgeOptions } from '../../src/edge/index.ts';
import { processStatus } from '../../src/sandbox/index.ts';
import { selfSigned } from '../support/certificates.ts';
import { answered, fakeCore, GOOD_TOKEN } from '../support/fake-core.ts';
import { keepsOthersOut } from '../support/other-users.ts';
import { journalOf, startShippedBroker } from '../support/shipped-broker.ts';

const root = new URL('../..', import.meta.url).pathname;
const directories: string[] = [];
const temporary = (): string => {
  const made = mkdtempSync(join(tmpdir(), 'cci-separate-'));
  directories.push(made);
  return made;
};
afterAll(() => {
  for (const one of directories) rmSync(one, { recursive: true, force: true });
});

const options = (more: Partial<EdgeOptions> = {}): EdgeOptions => ({
  ...{ version: '1', logLevel: 'warn', http: { host: 'localhost', port: 0 }, listeners: [] },
  ...more,
});

function host(core: CoreApi) {
  const records: { readonly [name: string]: unknown }[] = [];
  const broker: EdgeHost = {
    core,
    config: { edge: { process: 'separate', user: 'nobody' } },
    edgeAccounts: {
      log: pino({ level: 'silent' }),
      record: async (body) => void records.push(body),
      ...{ isUp: () => {}, ended: () => {}, violated: () => {} },
    },
  };
  return { broker, records };
}

const command = (edge: RunningEdge, body: object, token = GOOD_TOKEN) =>
  fetch(`${edge.addresses.http.url}/v1/switches/sw0/commands`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
};

const missing = keepsOthersOut();
const skipped = missing.length > 0 && process.env.CI_REQUIRE_SANDBOX !== '1';
const why = skipped ? ` (missing: ${missing.join(', ')})` : '';

describe.skipIf(skipped)(`listeners in a process of their own${why}`, () => {
  let submit: CoreApi['submit'] = fakeCore().submit;
  let edge: RunningEdge;
  const { broker: shared } = host(fakeCore({ submit: (...given) => submit(...given) }));
  beforeAll(async () => {
    edge = await startSeparateEdge(shared, () => options());
  });

  test('a token file of a listener is read by the core, and what is no such file is nothing to it', async () => {
    const directory = temporary();
    const file = join(directory, 'token');
    writeFileSync(file, `${GOOD_TOKEN}\n`, { mode: 0o600 });
    const seen: string[] = [];
    const core = fakeCore();
    const { broker } = host({
      ...core,
      whoami: (credential) => {
        seen.push(credential.token);
        return core.whoami(credential);
      },
    });
    const listener = {
      ...({ host: '127.0.0.1', port: 0, dialect: 'spec', switch: 'sw0' } as const),
      bindings: [{ tenant: 'acme', tokenFile: file }],
    };
    const edge = await startSeparateEdge(broker, () => options({ listeners: [listener] }));
    const { connect } = await import('node:net');
    const { packetize } = await import('../../src/cci/mctp.ts');
    const body = encodeMessage({
      ...{ category: 'request', tag: 1, opcode: 0x5100, background: false, returnCode: 0, vendorStatus: 0 },
      payload: new Uint8Array(0),
    } as const);
    const socket = connect(edge.addresses.listeners[0]?.port ?? 0, '127.0.0.1');
    const reply = new Promise((done) => socket.once('data', done));
    socket.write(packetize({ destination: 8, source: 9, tagOwner: true, tag: 1 }, 0x07, body, 0).bytes);
    await reply;
    socket.destroy();
    await edge.close();
    expect(seen).toEqual([GOOD_TOKEN]);
  });

  test('an address that is taken is said as when the listeners are in the core', async () => {
    const taken = { host: '127.0.0.1', port: edge.addresses.http.port };
    await expect(startSeparateEdge(shared, () => options({ http: taken }))).rejects.toThrow(/something listens at 127/);
  });

  test('an edge that is killed under load costs no record, sends nothing twice, and clients come back to the same address', async () => {
    const shipped = await startShippedBroker();
    let executed = 0;
    shipped.device.hook = async (request, pass) => {
      if (request.opcode === 0x5101) executed += 1;
      return pass();
    };
    const { broker, records } = host(shipped.broker.core);
    const edge = await startSeparateEdge(broker, () => options());
    const before = edge.pid;
    let stop = false;
    let answers = 0;
    let again = 0;
    const client = async (): Promise<void> => {
      while (!stop) {
        const reply = await command(
          edge,
          { command: 'get-physical-port-state', params: { port_id_list: [2] } },
          shipped.alice.token,
        ).catch(() => undefined);
        if (reply?.status === 200) answers += 1;
        if (reply?.status === 200 && edge.pid !== before) again += 1;
        if (reply === undefined) await new Promise((done) => setTimeout(done, 5));
      }
    };
    const clients = Array.from({ length: 8 }, client);
    await vi.waitFor(() => expect(answers).toBeGreaterThan(50), { timeout: 15_000 });
    process.kill(before ?? 0, 'SIGKILL');
    await vi.waitFor(() => expect(again).toBeGreaterThan(20), { timeout: 15_000 });
    stop = true;
    await Promise.all(clients);
    await edge.close();
    const journal = await journalOf(shipped.broker);
    await shipped.broker.close();
    const decisions = journal.filter(
      ({ kind, command: name }) => kind === 'decision' && name === 'get-physical-port-state',
    );
    const done = decisions.filter(({ verdict, returnCodes }) => verdict === 'allow' && returnCodes !== undefined);
    expect(new Set(decisions.map(({ requestId }) => requestId)).size).toBe(decisions.length);
    expect(done.length).toBe(executed);
    expect(executed).toBeGreaterThanOrEqual(answers);
    expect(records).toMatchObject([
      { change: 'started', pid: before },
      { change: 'ended', pid: before, reason: 'signal', signal: 'SIGKILL' },
      { change: 'started' },
      { change: 'ended', reason: 'asked' },
    ]);
  });

  test('a new certificate reaches it without a file and without a restart, and the next edge has it too', async () => {
    const [first, second] = [selfSigned({ name: 'first' }), selfSigned({ name: 'second' })];
    let material = { certificate: first.certificate, key: first.key };
    const { broker } = host(fakeCore());
    const edge = await startSeparateEdge(broker, () =>
      options({ http: { host: '127.0.0.1', port: 0, tls: { material, clientCertificates: 'none' } } }),
    );
    const { port } = edge.addresses.http;
    const shown = () =>
      new Promise<string>((done, fail) => {
        const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
          done(socket.getPeerX509Certificate()?.subject ?? '');
          socket.destroy();
        });
        socket.once('error', fail);
      });
    expect(await shown()).toContain('first');
    material = { certificate: second.certificate, key: second.key };
    edge.renew({ http: material });
    await vi.waitFor(async () => expect(await shown()).toContain('second'), { timeout: 15_000 });
    process.kill(edge.pid ?? 0, 'SIGKILL');
    await vi.waitFor(async () => expect(await shown()).toContain('second'), { timeout: 15_000, interval: 50 });
    await edge.close();
  });

  test('a stream works through it as it does without', async () => {
    const url = `${edge.addresses.http.url.replace('http', 'ws')}/v1/switches/sw0/stream`;
    const socket = new WebSocket(url, { headers: { authorization: `Bearer ${GOOD_TOKEN}` } });
    await new Promise((done) => socket.once('open', done));
    const replies: number[] = [];
    const all = new Promise<void>((done) => {
      socket.on('message', (data: Buffer) => {
        replies.push(data[1] ?? -1);
        if (replies.length === 100) done();
      });
    });
    for (let tag = 0; tag < 100; tag++) {
      socket.send(
        encodeMessage({
          ...{ category: 'request', tag, opcode: 0x5100, background: false, returnCode: 0, vendorStatus: 0 },
          payload: new Uint8Array(0),
        } as const),
      );
    }
    await all;
    expect(replies.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, tag) => tag));
    socket.terminate();
  });

  test('what is under way when the broker stops is finished first', async () => {
    const asked = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    submit = async () => {
      asked.resolve();
      await go.promise;
      return answered({ vendorStatus: 7 });
    };
    const under = command(edge, { command: 'identify-switch-device' });
    await asked.promise;
    const stopped = edge.close();
    setTimeout(go.resolve, 50);
    const reply = await under;
    expect(reply.status).toBe(200);
    expect(await reply.json()).toMatchObject({ vendorStatus: 7 });
    await stopped;
    await expect(command(edge, {})).rejects.toThrow();
  });
});

/** A configuration with its listeners in a process of their own, in a directory of its own. */
function configuration(change: (text: string) => string = (text) => text): string {
  const directory = temporary();
  cpSync(join(root, 'config'), join(directory, 'config'), { recursive: true });
  cpSync(join(root, 'policies'), join(directory, 'policies'), { recursive: true });
  const file = join(directory, 'config', 'broker.yaml');
  const text = readFileSync(file, 'utf8').replace('port: 8420', 'port: 0');
  writeFileSync(file, change(`${text}\nedge:\n  process: separate\n`));
  return file;
}

describe.skipIf(skipped)(`cci serve${why}`, () => {
  test('says what its edge is confined by; a core that is killed takes its edge with it', async () => {
    const child = spawn(process.execPath, [join(root, 'bin/cci.js'), 'serve', '--config', configuration()]);
    let said = '';
    child.stderr.on('data', (text: Buffer) => {
      said += text.toString();
    });
    await vi.waitFor(() => expect(said).toContain('listening'), { timeout: 19_000 });
    const pid = Number(/a process of its own \((\d+)\)/.exec(said)?.[1]);
    expect(isAlive(pid)).toBe(true);
    const status = processStatus(pid);
    if (said.includes('system calls'))
      expect(status).toMatchObject({ noNewPrivileges: true, seccomp: 2, capabilities: 0n });
    else expect(said).toContain('ATTENTION  not in force for the edge');
    if (process.env.CI_REQUIRE_SANDBOX === '1') {
      expect(said).not.toContain('ATTENTION');
      expect(status).toMatchObject({ uid: 65534, groups: [] });
    }
    child.kill('SIGKILL');
    await vi.waitFor(() => expect(isAlive(pid)).toBe(false), { timeout: 15_000, interval: 10 });
  });

  test('in production it does not start with its listeners in the core', async () => {
    const file = configuration((text) =>
      text.replace(/^ {2}process: separate$/m, '  process: same').replace(/^profile/m, 'production: true\nprofile'),
    );
    const child = spawn(process.execPath, [join(root, 'bin/cci.js'), 'serve', '--config', file]);
    let said = '';
    child.stderr.on('data', (text: Buffer) => {
      said += text.toString();
    });
    const code = await new Promise((done) => child.once('exit', done));
    expect(code).not.toBe(0);
    expect(said).toContain('`same` is not for production');
  });
});
