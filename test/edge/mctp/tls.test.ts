import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Credential } from '../../../src/broker/core-api.ts';
import { encodeMessage } from '../../../src/cci/index.ts';
import { PACKET_SIZE, packetize } from '../../../src/cci/mctp.ts';
import {
  createMctpMetrics,
  type MctpListenerSettings,
  type MctpMetrics,
  type OpenMctpListener,
  openMctpListener,
} from '../../../src/edge/mctp/index.ts';
import { authority, selfSigned, type TestCertificate } from '../../support/certificates.ts';
import { type FakeCore, fakeCore } from '../../support/fake-core.ts';

const ca = authority();
const server = ca.issue();
const clientCa = authority('clients');
const alice = clientCa.issue({ name: 'alice' });
const bob = selfSigned({ name: 'bob' });

let directory = '';
let listener: OpenMctpListener;
let metrics: MctpMetrics;
let core: FakeCore;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cci-mctp-tls-'));
  metrics = createMctpMetrics();
  // Two tenants, known by their tokens.
  const good = fakeCore();
  const named = (shown: Credential): Credential => ({ ...shown, token: 'good.token.sig' });
  core = fakeCore({
    whoami: async (shown) => {
      const seen = await good.whoami(named(shown));
      return seen.ok ? { ok: true, value: { ...seen.value, tenant: shown.token } } : seen;
    },
    submit: (shown, name, message, options) => good.submit(named(shown), name, message, options),
  });
  for (const tenant of ['acme', 'globex']) await writeFile(join(directory, tenant), tenant);
});
afterEach(async () => {
  await listener.close();
  await rm(directory, { recursive: true, force: true });
});

async function start(more: Partial<MctpListenerSettings>): Promise<void> {
  const all = [{ tenant: 'acme', tokenFile: join(directory, 'acme') }];
  const settings = { host: '127.0.0.1', port: 0, dialect: 'spec', switch: 'sw0', bindings: all, tls: server } as const;
  listener = await openMctpListener(core, { ...settings, ...more }, { metrics });
}

/** One request over one connection; undefined where the connection ended without an answer. */
function ask(shown?: Pick<TestCertificate, 'certificate' | 'key'>, opcode = 1): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const socket: TLSSocket = connect({
      host: '127.0.0.1',
      port: listener.port,
      ca: ca.certificate,
      ...(shown === undefined ? {} : { cert: shown.certificate, key: shown.key }),
    });
    const head = { category: 'request', background: false, returnCode: 0, vendorStatus: 0 } as const;
    const message = encodeMessage({ ...head, tag: 1, opcode, payload: new Uint8Array(0) });
    const address = { destination: 0, source: 0, tagOwner: true, tag: 0 };
    socket.on('error', () => undefined);
    socket.once('secureConnect', () => socket.write(packetize(address, 7, message, 0).bytes));
    socket.once('data', (chunk: Buffer) => {
      socket.destroy();
      resolve(chunk);
    });
    socket.once('close', () => resolve(undefined));
  });
}

const returnCode = (reply: Buffer | undefined): number | undefined => reply?.readUInt16LE(4 + 1 + 8);
const lines = async (name: string): Promise<readonly string[]> =>
  (await metrics.text()).split('\n').filter((line) => line.startsWith(`${name}{`));

describe('a listener with TLS', () => {
  it('serves whom its authority signed, and nobody else', async () => {
    await start({ tls: { ...server, clientCa: clientCa.certificate } });
    const reply = await ask(alice);
    expect(reply?.length).toBe(PACKET_SIZE);
    expect(returnCode(reply)).toBe(0);
    expect(await ask()).toBeUndefined();
    expect(await ask(bob)).toBeUndefined();
    const submits = core.calls.filter(({ method }) => method === 'submit');
    expect(submits.map(({ credential }) => credential?.certificate)).toEqual([alice.thumbprint]);
    const refusals = await lines('cci_mctp_refused_connections_total');
    expect(refusals.join('\n')).toMatch(/reason="no-certificate"} 1\n.*reason="untrusted-certificate"} 1/);
  });

  it('lets the holder of each certificate act as his own tenant', async () => {
    const bindings = [
      { certificate: alice.thumbprint, tenant: 'acme', tokenFile: join(directory, 'acme') },
      { certificate: bob.thumbprint, tenant: 'globex', tokenFile: join(directory, 'globex') },
    ];
    await start({ bindings });
    for (const who of [alice, bob, alice]) expect(returnCode(await ask(who))).toBe(0);
    expect(await ask(selfSigned())).toBeUndefined();
    const submits = core.calls.filter(({ method }) => method === 'submit');
    expect(submits.map(({ credential }) => credential?.token)).toEqual(['acme', 'globex', 'acme']);
    expect((await lines('cci_mctp_refused_connections_total')).join()).toContain('reason="unknown-certificate"} 1');
  });

  it('has another certificate when it is renewed', async () => {
    await start({ tls: { ...server, clientCa: clientCa.certificate } });
    const next = selfSigned({ name: 'next' });
    listener.renewCertificate({ ...next, clientCa: clientCa.certificate });
    expect(await ask(alice)).toBeUndefined();
    expect(() => listener.renewCertificate({ ...next, key: bob.key })).toThrow('not that of the first certificate');
  });

  it('does not wait for a handshake for ever', async () => {
    await start({ tls: { ...server, clientCa: clientCa.certificate }, limits: { assemblyMs: 100 } });
    const { connect: plain } = await import('node:net');
    const socket = plain(listener.port, '127.0.0.1');
    await new Promise((resolve) => socket.once('close', resolve));
    expect((await lines('cci_mctp_refused_connections_total')).join()).toContain('handshake-timeout');
  });
});

describe('what a listener counts', () => {
  it('is connections, requests by their end, what was no request, and how long it took', async () => {
    await start({ tls: { ...server, clientCa: clientCa.certificate } });
    await ask(alice);
    await ask(alice);
    const noise = connect({
      host: '127.0.0.1',
      port: listener.port,
      ca: ca.certificate,
      cert: alice.certificate,
      key: alice.key,
    });
    noise.on('error', () => undefined).resume();
    noise.once('secureConnect', () => noise.write(Buffer.alloc(PACKET_SIZE, 0xff)));
    await new Promise((resolve) => noise.once('close', resolve));
    const at = 'listener="127.0.0.1:0"';
    expect(await lines('cci_mctp_connections_total')).toEqual([`cci_mctp_connections_total{${at}} 3`]);
    expect(await lines('cci_mctp_connections')).toEqual([`cci_mctp_connections{${at}} 0`]);
    expect(await lines('cci_mctp_requests_total')).toEqual([`cci_mctp_requests_total{${at},end="success"} 2`]);
    expect(await lines('cci_mctp_assembly_errors_total')).toEqual([
      `cci_mctp_assembly_errors_total{${at},reason="framing"} 1`,
    ]);
    expect((await lines('cci_mctp_request_seconds_count')).join()).toContain('} 2');
    expect((await lines('cci_mctp_tls_not_after_timestamp_seconds')).join()).toMatch(/\d{10}/);
  });
});
