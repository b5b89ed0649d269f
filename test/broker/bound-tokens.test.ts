import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { CommandRequest, Credential } from '../../src/broker/core-api.ts';
import { commandDigest } from '../../src/client/dpop.ts';
import { type BoundBroker, startBoundBroker } from '../support/bound-broker.ts';
import { journalRecords } from '../support/journal-records.ts';

// Tokens that are bound to their holder, and tokens that were taken back, through the whole core.

let running: BoundBroker | undefined;
afterEach(async () => {
  await running?.close();
  running = undefined;
});

async function start(...args: Parameters<typeof startBoundBroker>): Promise<BoundBroker> {
  running = await startBoundBroker(...args);
  return running;
}

const identify: CommandRequest = { kind: 'named', command: 'identify-switch-device' };
const ports: CommandRequest = { kind: 'named', command: 'get-physical-port-state', params: { port_id_list: [2] } };

async function records(
  { stateDirectory, broker }: BoundBroker,
  kind: string,
): Promise<readonly { readonly [name: string]: unknown }[]> {
  await broker.flushJournal();
  return (await journalRecords(stateDirectory)).filter((record) => record.kind === kind);
}

/** The code of a refusal, or `ok`. */
async function code(answer: Promise<{ ok: true } | { ok: false; problem: { code: string } }>): Promise<string> {
  const result = await answer;
  return result.ok ? 'ok' : result.problem.code;
}

describe('a token that is bound to a key', () => {
  it('is told the nonce that it needs, gets in with it, and its commands are recorded with key and binding', async () => {
    const bound = await start('dpop', []);
    const token = await bound.token();
    const first = await bound.core.submit(bound.shown(token), 'sw0', identify);
    expect(first).toMatchObject({ ok: false, problem: { code: 'EAUTH', dpop: { error: 'use_dpop_nonce' } } });
    const nonce = first.ok ? '' : (first.problem.dpop?.nonce ?? '');
    expect(await code(bound.core.submit(bound.shown(token, { nonce }), 'sw0', identify))).toBe('ok');
    const [decision] = await records(bound, 'decision');
    expect(decision).toMatchObject({
      tokenId: expect.stringMatching(/^jti:/),
      tokenKey: expect.stringMatching(/^[\w-]{43}$/),
      bound: { dpop: expect.stringMatching(/^[\w-]{43}$/) },
    });
    expect(await records(bound, 'authentication')).toEqual([]);
  });

  it('is refused as bearer, although its issuer requires nothing, and that is on record', async () => {
    const bound = await start('none');
    const token = await bound.token();
    expect(await code(bound.core.whoami({ token, source: '' }))).toBe('EAUTH');
    const [bearer] = await records(bound, 'authentication');
    expect(bearer).toMatchObject({ reason: 'scheme' });
  });

  it('may wait for events with one proof', async () => {
    const bound = await start('dpop', []);
    const token = await bound.token();
    const asked = await bound.core.whoami(bound.shown(token));
    const nonce = asked.ok ? '' : (asked.problem.dpop?.nonce ?? '');
    const shown = bound.shown(token, { nonce });
    expect(await bound.core.events(shown, 'sw0', { after: 'now', waitMs: 30 })).toMatchObject({ ok: true });
    expect(await code(bound.core.events(shown, 'sw0', { after: 'now' }))).toBe('EAUTH');
  });

  it('opens a stream with one proof, for as long as it is not ended', async () => {
    const bound = await start('dpop', []);
    const token = await bound.token();
    const asked = await bound.core.begin(bound.shown(token));
    const nonce = asked.ok ? '' : (asked.problem.dpop?.nonce ?? '');
    const begun = await bound.core.begin(bound.shown(token, { nonce }));
    if (!begun.ok) throw new Error(begun.problem.detail);
    for (let i = 0; i < 3; i++) expect(await code(bound.core.submit(begun.value, 'sw0', identify))).toBe('ok');
    await bound.core.end(begun.value.session ?? '');
    expect(await code(bound.core.submit(begun.value, 'sw0', identify))).toBe('EAUTH');
  });
});

describe('where each command needs a proof of its own, an edge with a token and a proof of another', () => {
  async function proved(bound: BoundBroker, token: string, path: string, body: unknown): Promise<Credential> {
    const command = commandDigest('POST', path, body);
    const first = await bound.core.whoami(bound.shown(token));
    const nonce = first.ok ? undefined : first.problem.dpop?.nonce;
    return bound.shown(token, {
      ...(command === undefined ? {} : { command }),
      ...(nonce === undefined ? {} : { nonce }),
    });
  }

  it('can run that one command, and nothing else', async () => {
    const bound = await start('dpop-command', []);
    const { core } = bound;
    const token = await bound.token({ tenant: 'fabric', subject: 'olga' });
    const forIdentify = () => proved(bound, token, 'v1/switches/sw0/commands', { command: 'identify-switch-device' });
    expect(await code(core.submit(await forIdentify(), 'sw0', identify))).toBe('ok');
    expect(await code(core.submit(await forIdentify(), 'sw0', ports))).toBe('EAUTH');
    expect(await code(core.decide(await forIdentify(), 'sw0', identify))).toBe('EAUTH');
    expect(await code(core.whoami(await forIdentify()))).toBe('EAUTH');
    expect(await code(core.reloadPolicy(await forIdentify()))).toBe('EAUTH');
    expect(await code(core.raiseLockdown(await forIdentify(), 'integrity', 'x'))).toBe('EAUTH');
    expect(await code(core.revoke(await forIdentify(), { kind: 'tenant', name: 'acme', reason: 'x' }))).toBe('EAUTH');
    expect(await code(core.acceptTopology(await forIdentify(), 'sw0', 'x'))).toBe('EAUTH');
    expect(await code(core.acknowledgeTaint(await forIdentify(), 'M', '/switches/sw0', 'x'))).toBe('EAUTH');
  });

  it('can change nothing with a proof for a look', async () => {
    const bound = await start('dpop-command', []);
    const { core } = bound;
    const token = await bound.token({ tenant: 'fabric', subject: 'olga' });
    const look = () => proved(bound, token, 'v1/whoami', undefined);
    expect(await code(core.whoami(await look()))).toBe('ok');
    expect(await code(core.submit(await look(), 'sw0', identify))).toBe('EAUTH');
    expect(await code(core.raiseLockdown(await look(), 'integrity', 'x'))).toBe('EAUTH');
    expect(await code(core.reloadPolicy(await look()))).toBe('EAUTH');
  });

  it('is believed with the proof for just what it asks', async () => {
    const bound = await start('dpop-command', []);
    const { core } = bound;
    const token = await bound.token({ tenant: 'fabric', subject: 'olga' });
    const raw: CommandRequest = { kind: 'raw', opcode: 0x5100, payload: Uint8Array.of(0xab) };
    const wish = { kind: 'tenant', name: 'acme', reason: 'x' } as const;
    const lockdown = { level: 'integrity', reason: 'x' } as const;
    const table: readonly (readonly [string, unknown, (shown: Credential) => Promise<string>])[] = [
      [
        'switches/sw0/commands',
        { raw: { opcode: '0x5100', payload: 'AB' } },
        (shown) => code(core.submit(shown, 'sw0', raw)),
      ],
      [
        'switches/sw0/decisions',
        { raw: { opcode: 0x5100, payload: 'ab' } },
        (shown) => code(core.decide(shown, 'sw0', raw)),
      ],
      ['policy/reload', {}, (shown) => code(core.reloadPolicy(shown))],
      ['revocations', wish, (shown) => code(core.revoke(shown, wish))],
      ['switches/sw0/topology/accept', { reason: 'x' }, (shown) => code(core.acceptTopology(shown, 'sw0', 'x'))],
      ['posture/lockdown', lockdown, (shown) => code(core.raiseLockdown(shown, 'integrity', 'x'))],
    ];
    for (const [path, body, ask] of table) {
      expect(await ask(await proved(bound, token, `v1/${path}`, body))).not.toBe('EAUTH');
    }
  });
});

describe('a revocation', () => {
  const operator = async (bound: BoundBroker): Promise<Credential> => ({
    token: await bound.token({ tenant: 'fabric', subject: 'olga', bound: false }),
    source: '192.0.2.2:1',
  });
  const alice = async (bound: BoundBroker): Promise<Credential> => ({
    token: await bound.token({ bound: false }),
    source: '192.0.2.3:1',
  });

  it('reaches tokens that are in use, is told to operators, recorded, and outlives the broker; lifting it gives them back', async () => {
    const bound = await start('none');
    const [olga, her] = [await operator(bound), await alice(bound)];
    expect(await code(bound.core.submit(her, 'sw0', identify))).toBe('ok');
    const wish = {
      kind: 'subject',
      name: 'alice',
      issuer: 'https://cci-broker.local/dev',
      reason: 'laptop stolen',
    } as const;
    const revoked = await bound.core.revoke(olga, wish);
    expect(revoked).toMatchObject({
      ok: true,
      value: [{ kind: 'subject', name: 'user:https://cci-broker.local/dev#alice', reason: 'laptop stolen' }],
    });
    expect(await code(bound.core.submit(her, 'sw0', identify))).toBe('EAUTH');
    expect((await records(bound, 'revocation'))[0]).toMatchObject({
      ...{ change: 'revoked', what: 'subject', name: 'user:https://cci-broker.local/dev#alice' },
      ...{ by: 'user:https://cci-broker.local/dev#olga', reason: 'laptop stolen' },
    });
    await bound.restart();
    expect(await code(bound.core.whoami(her))).toBe('EAUTH');
    const [entry] = revoked.ok ? revoked.value : [];
    expect(await code(bound.core.revoke(olga, { lift: entry?.id ?? '', reason: 'found' }))).toBe('ok');
    expect(await code(bound.core.whoami(her))).toBe('ok');
    expect(await code(bound.core.revoke(olga, { lift: entry?.id ?? '', reason: 'found' }))).toBe('ENOENT');
    expect((await records(bound, 'revocation'))[1]).toMatchObject({ change: 'lifted', id: entry?.id });
  });

  it('names callers as tokens do, however it was written', async () => {
    const bound = await start('none');
    const olga = await operator(bound);
    const issuer = 'https://cci-broker.local/dev';
    const names: string[] = [];
    for (const wish of [
      { kind: 'subject', name: `user:${issuer}#J\u00fcrgen` },
      { kind: 'subject', name: `user:${issuer}#%41nn` },
      { kind: 'subject', name: '%41nn', issuer },
      { kind: 'token', name: `jti:${issuer}#a b` },
      { kind: 'token', name: 'a#b', issuer },
      { kind: 'token', name: `sha256:${'A'.repeat(43)}` },
      { kind: 'key', name: `kid:${issuer}#1` },
      { kind: 'key', name: 'A'.repeat(43) },
    ] as const) {
      const answer = await bound.core.revoke(olga, { reason: 'x', ...wish });
      names.push(answer.ok ? (answer.value.at(-1)?.name ?? '') : answer.problem.detail);
    }
    expect(names).toEqual([
      `user:${issuer}#J%C3%BCrgen`,
      `user:${issuer}#Ann`,
      `user:${issuer}#%2541nn`,
      `jti:${issuer}#a%20b`,
      `jti:${issuer}#a%23b`,
      `sha256:${'A'.repeat(43)}`,
      `kid:${issuer}#1`,
      'A'.repeat(43),
    ]);
  });

  it('says which issuers there are, where another one was meant', async () => {
    const bound = await start('none');
    const wish = { kind: 'subject', name: 'alice', issuer: 'https://cci-broker.local/dev/', reason: 'x' } as const;
    expect(await bound.core.revoke(await operator(bound), wish)).toMatchObject({
      problem: {
        code: 'EPARAM',
        field: 'issuer',
        detail: expect.stringContaining('issuers are `https://cci-broker.local/dev`'),
      },
    });
  });

  it('is for operators with the right scope, and nobody locks all operators out', async () => {
    const bound = await start('none');
    const wish = { kind: 'tenant', name: 'acme', reason: 'x' } as const;
    expect(await code(bound.core.revoke(await alice(bound), wish))).toBe('EPERM');
    expect(await code(bound.core.revocations(await alice(bound)))).toBe('EPERM');
    const olga = await operator(bound);
    expect(await code(bound.core.revoke(olga, { ...wish, name: 'fabric' }))).toBe('EPARAM');
  });

  it('of what there cannot be is refused, and nothing is revoked', async () => {
    const bound = await start('none');
    const olga = await operator(bound);
    for (const wish of [
      { kind: 'token', name: 'x' },
      { kind: 'token', name: 'sha256:x' },
      { kind: 'subject', name: 'alice' },
      { kind: 'tenant', name: 'Acme Inc.' },
      { kind: 'tenant', name: 'acme', issuer: 'https://x' },
      { kind: 'tenant', name: 'acmee' },
      { kind: 'subject', name: 'user:https://cci-broker.local/de#alice' },
      { kind: 'subject', name: 'alice', issuer: 'https://cci-broker.local/dev/' },
      { kind: 'token', name: 'jti:https://idp.example#1' },
      { kind: 'key', name: 'kid:https://idp.example#1' },
      { kind: 'key', name: 'k1' },
      { kind: 'key', name: '' },
      { kind: 'tenant', name: 'acme', expiresAtMs: 1 },
      { kind: 'tenant', name: 'acme', reason: ' ' },
      { kind: 'tenant', name: 'acme', reason: 'x'.repeat(501) },
    ] as const) {
      expect(await code(bound.core.revoke(olga, { reason: 'x', ...wish }))).toBe('EPARAM');
    }
    expect(await bound.core.revocations(olga)).toEqual({ ok: true, value: [] });
    expect(await records(bound, 'revocation')).toEqual([]);
  });

  it('that was damaged on the disk stops the broker', async () => {
    const bound = await start('none');
    await bound.core.revoke(await operator(bound), { kind: 'tenant', name: 'acme', reason: 'x' });
    const path = join(bound.stateDirectory, 'revocations.json');
    const good = await readFile(path);
    await expect(bound.restart(() => writeFile(path, '{}'))).rejects.toThrow(/revocations.*cannot be relied on/s);
    await writeFile(path, good);
    await bound.restart().catch(() => undefined);
  });
});

describe('whoever shows tokens that are not accepted, again and again', () => {
  it('is told to wait, is counted in a few records, and gets in with a good one', async () => {
    const bound = await start('none', ['authentication: { failures: { burst: 30, per_second: 0.01 } }']);
    const source = '192.0.2.9:1';
    const good = { token: await bound.token({ bound: false }), source };
    const codes: string[] = [];
    for (let i = 0; i < 100; i++) codes.push(await code(bound.core.whoami({ token: `a.b.${i}`, source })));
    expect(codes.slice(0, 30)).toEqual(Array.from({ length: 30 }, () => 'EAUTH'));
    expect(codes.slice(35)).toContain('EAGAIN');
    expect(await bound.core.whoami({ token: 'x', source })).toMatchObject({
      ok: false,
      problem: { code: 'EAGAIN', retryAfterMs: expect.any(Number) },
    });
    expect(await code(bound.core.whoami(good))).toBe('ok');
    expect(await code(bound.core.whoami({ token: 'a.b.c', source: '192.0.2.10:1' }))).toBe('EAUTH');
    await bound.restart();
    const all = await records(bound, 'authentication');
    const counted = all.filter(({ reason }) => reason === 'counted');
    expect(all.length).toBeLessThan(30);
    const sum = counted.reduce((total, { details }) => total + (details as { readonly count: number }).count, 0);
    expect(sum + all.length - counted.length).toBe(102);
  });
});
