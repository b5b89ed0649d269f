import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { runCli } from '../../src/cli/run-cli.ts';
import { type ClientOptions, createClient } from '../../src/client/index.ts';
import { createHttpEdge, type HttpEdge, type HttpTls } from '../../src/edge/index.ts';
import { authority, selfSigned } from '../support/certificates.ts';
import { type FakeCore, fakeCore, GOOD_TOKEN } from '../support/fake-core.ts';

const ca = authority();
const server = ca.issue();
const own = selfSigned({ name: 'own' });
const mine = { ca: ca.certificate, certificate: own.certificate, key: own.key };

let edge: HttpEdge;
let core: FakeCore;
let url = '';

async function start(tls: Partial<HttpTls> = {}): Promise<void> {
  core = fakeCore();
  edge = createHttpEdge(core, {
    tls: { material: server, clientCertificates: 'request', ...tls },
    limits: { shutdownMs: 200, eventHeartbeatMs: 20 },
  });
  ({ url } = await edge.listen('127.0.0.1', 0));
}

const client = (options: Partial<ClientOptions> = {}) => createClient({ url, token: GOOD_TOKEN, ...options });

beforeEach(() => start());
afterEach(() => edge.close());

describe('a client with a certificate of its own', () => {
  it('shows it with requests, streams and events', async () => {
    const broker = client(mine);
    expect((await broker.whoami()).tenant).toBe('acme');
    const stream = await broker.stream();
    expect((await stream.send(1, new Uint8Array(0))).returnCode).toBe(0);
    await stream.close();
    const stop = new AbortController();
    const events = broker.events({ signal: stop.signal });
    const none = events.next();
    while (!core.calls.some(({ method }) => method === 'events')) await new Promise((done) => setTimeout(done, 5));
    stop.abort();
    await none;
    const shown = new Set(core.calls.map(({ credential }) => credential?.certificate));
    shown.delete(undefined);
    expect([...shown]).toEqual([own.thumbprint]);
    expect(core.calls.filter(({ method }) => method === 'submit').length).toBe(1);
  });

  it('gets in where one is needed, and is told what is missing where it has none', async () => {
    await edge.close();
    await start({ clientCertificates: 'require', material: { ...server, clientCa: ca.certificate } });
    const good = ca.issue({ name: 'client' });
    const signed = client({ ca: ca.certificate, certificate: good.certificate, key: good.key });
    expect((await signed.whoami()).tenant).toBe('acme');
    await expect(client({ ca: ca.certificate }).whoami()).rejects.toMatchObject({ code: 'EUNREACHABLE' });
  });

  it.each([
    ['without its key', { ca: ca.certificate, certificate: own.certificate }, 'EPARAM', /`key` is missing/],
    ['with a key alone', { key: own.key }, 'EPARAM', /`certificate` is missing/],
    ['without the authority', {}, 'EUNREACHABLE', /authority that is not known here/],
    ['with another authority', { ca: own.certificate }, 'EUNREACHABLE', /authority that is not known here/],
  ])('%s is told so', async (_what, options, code, why) => {
    await expect(client(options).whoami()).rejects.toMatchObject({ code, message: expect.stringMatching(why) });
    if (code === 'EUNREACHABLE') await expect(client(options).stream()).rejects.toMatchObject({ code });
  });

  it('is told where the certificate of the broker is for another host, or has run out', async () => {
    for (const [wish, why] of [
      [{ hosts: ['broker.example'] }, /is for another host/],
      [{ notAfter: new Date(Date.now() - 1000) }, /has run out/],
    ] as const) {
      edge.renewCertificate(ca.issue(wish));
      await expect(client({ ca: ca.certificate }).whoami()).rejects.toThrow(why);
    }
  });
});

describe('cci', () => {
  let directory = '';
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'cci-client-tls-'));
    await writeFile(join(directory, 'ca.pem'), ca.certificate);
    await writeFile(join(directory, 'own.pem'), own.certificate);
    await writeFile(join(directory, 'own-key.pem'), own.key, { mode: 0o600 });
    await writeFile(join(directory, 'open-key.pem'), own.key, { mode: 0o644 });
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  async function cci(words: string, env: { [name: string]: string } = {}) {
    let [out, err] = ['', ''];
    const code = await runCli(
      {
        out: (text) => {
          out += text;
        },
        err: (text) => {
          err += text;
        },
        env: { CCI_URL: url, CCI_TOKEN: GOOD_TOKEN, ...env },
        outIsTerminal: false,
        errIsTerminal: false,
        untilTold: () => new AbortController().signal,
      },
      words.replaceAll('@', `${directory}/`).split(' '),
    );
    return { code, out, err };
  }

  it('takes authority, certificate and key by flag and by environment', async () => {
    const byFlag = await cci('whoami --ca @ca.pem --cert @own.pem --cert-key @own-key.pem');
    expect(byFlag).toMatchObject({ code: 0, err: expect.not.stringContaining('chmod') });
    const at = (name: string) => join(directory, name);
    const env = { CCI_CA: at('ca.pem'), CCI_CERT: at('own.pem'), CCI_KEY: at('own-key.pem') };
    expect((await cci('whoami', env)).code).toBe(0);
    expect(core.calls.map(({ credential }) => credential?.certificate)).toEqual([own.thumbprint, own.thumbprint]);
  });

  it.each([
    ['whoami --ca @ca.pem --cert @own.pem', 2, 'belong together'],
    ['whoami --ca @none.pem', 2, 'cannot be read (ENOENT)'],
    ['whoami --ca @own-key.pem', 2, 'is no certificate in PEM'],
    ['whoami --ca @ca.pem --cert @own.pem --cert-key @ca.pem', 2, 'is no private key in PEM'],
    ['whoami --ca @ca.pem --cert @own.pem --cert-key @open-key.pem', 0, 'chmod 600'],
    ['whoami', 5, 'authority that is not known here'],
    ['whoami --ca @own.pem', 5, 'with --ca or CCI_CA'],
  ])('%s ends with %i', async (words, code, text) => {
    const said = await cci(words);
    expect(said.code).toBe(code);
    expect(said.err).toContain(text);
  });
});
