import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type BrokerConfig, parseConfig } from '../../src/broker/config/index.ts';
import { openCertificates } from '../../src/cli/certificates.ts';
import { authority, type TestCertificate } from '../support/certificates.ts';

const ca = authority();
const [first, second] = [ca.issue({ name: 'first' }), ca.issue({ name: 'second' })];
const log = pino({ level: 'silent' });
let directory = '';

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cci-certificates-'));
  await put(first);
});
afterEach(() => rm(directory, { recursive: true, force: true }));

async function put({ certificate, key }: TestCertificate): Promise<void> {
  await writeFile(join(directory, 'cert.pem'), certificate);
  await writeFile(join(directory, 'key.pem'), key, { mode: 0o600 });
}

function config(tls: string, listeners = ''): BrokerConfig {
  const parsed = parseConfig(
    `
profile: host
http: { host: 127.0.0.1, port: 0${tls} }
${listeners}
state_directory: state
fabric: fabric.yaml
policy: { directory: policies }
issuers: [{ kind: development, tenants: ['*'] }]
switches: { sw0: { backend: { kind: emulator, topology: t.yaml } } }
`,
    join(directory, 'broker.yaml'),
  );
  if (!parsed.ok) throw new Error(parsed.problems.map(({ message }) => message).join());
  return parsed.config;
}

const pair = 'certificate: cert.pem, key: key.pem';
const listener = `listeners:
  - { kind: mctp-tcp, host: 127.0.0.1, dialect: spec, switch: sw0, tenant: acme, token_file: t }
  - { kind: mctp-tcp, host: 127.0.0.1, port: 1, dialect: spec, switch: sw0, tenant: acme, token_file: t, tls: { ${pair}, client_ca: cert.pem } }`;

describe('the certificates of a broker', () => {
  it('are none where the configuration names none', async () => {
    const certificates = await openCertificates(config(''), log);
    expect(certificates.http).toBeUndefined();
    expect(certificates.listener(0)).toBeUndefined();
    expect(await certificates.reload()).toEqual([]);
    certificates.close();
  });

  it('are told to whoever listens, and to whoever opens a listener later, when they were renewed', async () => {
    const certificates = await openCertificates(config(`, tls: { ${pair}, client_certificates: request }`), log);
    const told: string[] = [];
    certificates.onHttpChange(({ certificate }) => told.push(certificate));
    expect(certificates.http?.material.certificate).toBe(first.certificate);
    await put(second);
    expect(await certificates.reload()).toEqual(['the certificate of http was loaded again']);
    expect(told).toEqual([second.certificate]);
    expect(certificates.http).toEqual({
      material: { certificate: second.certificate, key: second.key },
      clientCertificates: 'request',
    });
    await writeFile(join(directory, 'key.pem'), first.key);
    expect(await certificates.reload()).toEqual([
      'the certificate of http in force stays: the key is not that of the first certificate in the file',
    ]);
    certificates.close();
  });

  it('that cannot be used keep the broker from starting, and say where and why', async () => {
    await chmod(join(directory, 'key.pem'), 0o644);
    await expect(openCertificates(config(`, tls: { ${pair} }`), log)).rejects.toThrow(
      /`http.tls` cannot be used.*chmod 600/,
    );
    await put(first);
    await chmod(join(directory, 'key.pem'), 0o600);
    await expect(openCertificates(config('', listener), log)).rejects.toThrow(/`listeners.1.tls`.*may not sign others/);
  });

  it('of one listener are its own', async () => {
    const text = listener.replace('client_ca: cert.pem', 'client_ca: ca.pem');
    await writeFile(join(directory, 'ca.pem'), ca.certificate);
    const certificates = await openCertificates(config('', text), log);
    expect([certificates.listener(0), certificates.listener(1)?.clientCa]).toEqual([undefined, ca.certificate]);
    let told = 0;
    certificates.onListenerChange(1, () => told++);
    await put(second);
    expect(await certificates.reload()).toEqual(['the certificate of listener 1 was loaded again']);
    expect(told).toBe(1);
    certificates.close();
  });
});
