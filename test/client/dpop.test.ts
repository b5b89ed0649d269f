import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { commandWish, wishDigest } from '../../src/broker/auth/index.ts';
import type { CommandRequest } from '../../src/broker/core-api.ts';
import { commandDigest, Prover, proverOf } from '../../src/client/dpop.ts';
import { BrokerError, createClient, dpopThumbprint, makeDpopKey } from '../../src/client/index.ts';
import { createHttpEdge, type HttpEdge } from '../../src/edge/index.ts';
import { type BoundBroker, startBoundBroker } from '../support/bound-broker.ts';

let bound: BoundBroker | undefined;
let edge: HttpEdge | undefined;
afterEach(async () => {
  await edge?.close();
  await bound?.close();
  edge = undefined;
  bound = undefined;
});

async function start(require: Parameters<typeof startBoundBroker>[0]) {
  const broker = await startBoundBroker(require, []);
  bound = broker;
  const listener = createHttpEdge(broker.core, { limits: { shutdownMs: 500 } });
  edge = listener;
  const { url } = await listener.listen('127.0.0.1', 0);
  const token = await broker.token();
  const client = createClient({ url, token, dpop: { key: broker.key } });
  const operator = createClient({
    url,
    token: await broker.token({ tenant: 'fabric', subject: 'olga' }),
    dpop: { key: broker.key },
  });
  return { broker, url, token, client, operator };
}

/** The code of what was thrown. */
async function thrown(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'nothing',
    (error: unknown) => (error instanceof BrokerError ? error.code : String(error)),
  );
}

describe('a client with a key', () => {
  it('asks, runs commands, streams and listens: each request with a proof of its own, a stream with one', async () => {
    const { client } = await start('dpop');
    expect((await client.whoami()).tenant).toBe('acme');
    const { result } = await client.run('identify-switch-device', {});
    expect(result).toMatchObject({ number_of_vcss: 1 });
    const stream = await client.stream();
    for (let i = 0; i < 3; i++) expect((await stream.send(0x5100, new Uint8Array(0))).returnCode).toBe(0);
    await stream.close();
    const session = await client.session({ waitMs: 15_000 });
    expect((await session.run('identify-switch-device', {})).returnCode).toBe(0);
    await session.close();
    const stop = new AbortController();
    const events = client.events({ after: 'now', signal: stop.signal });
    const next = events.next();
    setTimeout(() => stop.abort(), 300);
    expect((await next).done).toBe(true);
  });

  it('may open a stream first: it finds out by itself what the broker wants in a proof', async () => {
    const { client } = await start('dpop');
    const stream = await client.stream();
    expect((await stream.send(0x5100, new Uint8Array(0))).returnCode).toBe(0);
    await stream.close();
  });

  it('goes on with the next nonce when the one that it has is of no use any more, with many requests at once', async () => {
    const { broker, url, token } = await start('dpop');
    const dpop = { key: broker.key };
    const client = createClient({ url, token, dpop });
    const stale = () => proverOf(dpop).takeNonce(new URL(url).origin, 'stale');
    stale();
    const all = await Promise.all(Array.from({ length: 10 }, () => client.whoami()));
    expect(new Set(all.map(({ tenant }) => tenant))).toEqual(new Set(['acme']));
    stale();
    const stream = await client.stream();
    expect((await stream.send(0x5100, new Uint8Array(0))).returnCode).toBe(0);
    await stream.close();
    stale();
    const stop = new AbortController();
    const next = client.events({ after: 'now', signal: stop.signal }).next();
    setTimeout(() => stop.abort(), 600);
    expect((await next).done).toBe(true);
  });

  it('needs nothing more where each command needs its own proof, but has no streams of commands there', async () => {
    const { client, operator } = await start('dpop-command');
    expect((await client.run('identify-switch-device', {})).returnCode).toBe(0);
    expect((await client.can('get-physical-port-state', { port_id_list: [2] })).verdict).toBe('allow');
    expect(await thrown(client.raw(0xc010, Uint8Array.of(0xab)))).not.toBe('EAUTH');
    expect(await thrown(operator.reloadPolicy())).toBe('nothing');
    const revoked = await operator.revoke({ kind: 'tenant', name: 'globex', reason: 'incident', expiresAtMs: 4e12 });
    expect(revoked).toHaveLength(1);
    expect(await operator.revocations()).toEqual(revoked);
    const stream = await client.stream();
    expect((await stream.send(0x5100, new Uint8Array(0))).returnCode).toBe(2);
    expect(await stream.closed).toContain('4401');
  });

  it('cannot do without it, nor with another', async () => {
    const { url, token } = await start('dpop');
    expect(await thrown(createClient({ url, token }).whoami())).toBe('EAUTH');
    expect(await thrown(createClient({ url, token, dpop: { key: makeDpopKey() } }).whoami())).toBe('EAUTH');
  });

  it('whose token is revoked loses its stream with the next command', async () => {
    const { client, operator, broker } = await start('dpop');
    const stream = await client.stream();
    expect((await stream.send(0x5100, new Uint8Array(0))).returnCode).toBe(0);
    await operator.revoke({
      kind: 'key',
      name: dpopThumbprint(broker.key),
      reason: 'key was copied',
      expiresAtMs: 4e12,
    });
    expect((await stream.send(0x5100, new Uint8Array(0))).returnCode).toBe(2);
    expect(await stream.closed).toContain('4401');
    expect(await thrown(client.whoami())).toBe('EAUTH');
  });
});

describe('a proof', () => {
  it('is refused for a key of another kind before anything is sent', () => {
    expect(() => new Prover({ kty: 'RSA', crv: '', x: '', d: '' })).toThrow('EC P-256 or Ed25519');
    expect(() => new Prover({ kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA', d: 'AA' })).toThrow('no valid private key');
  });

  it('has the digest of RFC 7638 for the key of its appendix of RFC 8037', () => {
    const x = '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo';
    expect(dpopThumbprint({ kty: 'OKP', crv: 'Ed25519', x, d: '' })).toBe(
      'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k',
    );
  });

  it('names a command as the broker reads it, whatever is in it', () => {
    const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/);
    const via = fc.option(fc.constantFrom('port:3', 'port:3/ld:1'), { nil: undefined });
    fc.assert(
      fc.property(name, name, via, fc.option(fc.jsonValue(), { nil: undefined }), (sw, command, path, params) => {
        const body = JSON.parse(JSON.stringify({ via: path, params, command })) as object;
        const request = { kind: 'named', ...body } as CommandRequest;
        expect(commandDigest('POST', `v1/switches/${sw}/commands`, { command, params, via: path })).toBe(
          wishDigest(commandWish('commands', sw, request)),
        );
      }),
      { seed: 3, numRuns: 300 },
    );
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 0xffff }), fc.uint8Array({ maxLength: 40 }), (opcode, payload) => {
        const hex = Buffer.from(payload).toString('hex');
        const digests = [
          commandDigest('POST', 'v1/switches/sw0/commands', { raw: { opcode, payload: hex } }),
          commandDigest('POST', 'v1/switches/sw0/commands', {
            raw: { opcode: `0x${opcode.toString(16)}`, payload: hex.toUpperCase() },
          }),
          wishDigest(commandWish('commands', 'sw0', { kind: 'raw', opcode, payload })),
        ];
        expect(new Set(digests).size).toBe(1);
      }),
      { seed: 4, numRuns: 100 },
    );
  });

  it('names the command of the manual as the manual says', () => {
    const body = { command: 'bind-vppb', params: { vppb_id: 2, vcs_id: 0 } };
    expect(commandDigest('POST', 'v1/switches/sw0/commands', body)).toBe('o0rMKaCtm8Rx66OpAOBRrtGXbtJ3CSTkdvLPi83pWSc');
    expect(commandDigest('GET', 'v1/whoami', undefined)).toBeUndefined();
    expect(commandDigest('POST', 'v1/somewhere/else', {})).toBeUndefined();
  });
});
