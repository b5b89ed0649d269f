/**
 * Cost of authentication: `node bench/auth.ts`. A hit is a token that was verified before; a miss is verified anew.
 * Best of five runs; every string is fresh, as one off a socket is, because a string that was hashed before keeps it.
 *
 * `node bench/auth.ts --oracle` asks whether the time of a refusal tells why: tokens that are refused for different reasons,
 * in random order, and how well the time alone tells two of them apart (0.5 is guessing).
 */
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SignJWT } from 'jose';
import {
  type Algorithm,
  type Authenticator,
  type AuthenticatorOptions,
  createAuthenticator,
  defaultPossession,
  MemoryRevocations,
} from '../src/broker/auth/index.ts';
import { Prover } from '../src/client/dpop.ts';
import { dpopThumbprint, makeDpopKey } from '../src/client/index.ts';

const RUNS = 5;
const ISSUER = 'https://bench.example';
const directory = mkdtempSync(join(tmpdir(), 'cci-bench-'));

const pairs = {
  EdDSA: generateKeyPairSync('ed25519'),
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  RS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
} as const satisfies Partial<Record<Algorithm, unknown>>;
type BenchAlgorithm = keyof typeof pairs;
const names = Object.keys(pairs) as BenchAlgorithm[];

async function sign(alg: BenchAlgorithm, groups: number, more: object = {}, kid: string = alg): Promise<string> {
  const list = Array.from({ length: groups }, () => randomUUID());
  return new SignJWT({ tenant: 'acme', groups: list, scope: 'cci:read', ...more })
    .setProtectedHeader({ alg, kid, typ: 'JWT' })
    .setIssuer('iss' in more ? String(more.iss) : ISSUER)
    .setAudience('cci-broker')
    .setSubject('alice')
    .setJti(randomUUID())
    .setIssuedAt()
    .setExpirationTime('1h')
    .sign(pairs[alg].privateKey);
}

function open(more: Partial<AuthenticatorOptions> = {}): Promise<Authenticator> {
  const path = join(directory, 'jwks.json');
  const keys = names.map((kid) => ({ ...pairs[kid].publicKey.export({ format: 'jwk' }), kid }));
  writeFileSync(path, JSON.stringify({ keys }));
  return createAuthenticator([{ issuer: ISSUER, audience: 'cci-broker', algorithms: names, jwks_file: path }], {
    clock: Date,
    knownTenants: new Set(['acme']),
    ...more,
  });
}

/** The same, each token shown as on a connection that is kept: in the same object each time. */
async function passKept(authenticator: Authenticator, bytes: readonly Buffer[], rounds: number): Promise<number> {
  const shown = bytes.map((token) => ({ token: token.toString('latin1'), source: '127.0.0.1:1' }));
  for (const credential of shown) await authenticator.authenticate(credential);
  const startMs = performance.now();
  for (let round = 0; round < rounds; round++) {
    for (const credential of shown) {
      const result = await authenticator.authenticate(credential);
      if (!result.ok) throw new Error(result.error.detail);
    }
  }
  return ((performance.now() - startMs) * 1000) / (rounds * bytes.length);
}

/** Authenticates every token once and returns microseconds for one. */
async function pass(authenticator: Authenticator, bytes: readonly Buffer[], rounds: number): Promise<number> {
  const startMs = performance.now();
  for (let round = 0; round < rounds; round++) {
    for (const token of bytes) {
      const result = await authenticator.authenticate(token.toString('latin1'));
      if (!result.ok) throw new Error(result.error.detail);
    }
  }
  return ((performance.now() - startMs) * 1000) / (rounds * bytes.length);
}

async function best(measure: () => Promise<number>): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let run = 0; run < RUNS; run++) least = Math.min(least, await measure());
  return least;
}

function report(label: string, tokenBytes: number, micros: number): void {
  console.log(`${label.padEnd(24)}${String(tokenBytes).padStart(8)}${micros.toFixed(2).padStart(12)}`);
}

async function costs(): Promise<void> {
  console.log(`${'case'.padEnd(24)}${'bytes'.padStart(8)}${'us'.padStart(12)}`);
  for (const groups of [0, 10, 40]) {
    const tokens = await Promise.all(Array.from({ length: 500 }, () => sign('EdDSA', groups)));
    const bytes = tokens.map((token) => Buffer.from(token));
    const authenticator = await open();
    await pass(authenticator, bytes, 20);
    report(`hit, ${groups} groups`, bytes[0]?.length ?? 0, await best(() => pass(authenticator, bytes, 200)));
    report('  on the same connection', bytes[0]?.length ?? 0, await best(() => passKept(authenticator, bytes, 200)));
  }
  for (const alg of names) {
    const bytes = (await Promise.all(Array.from({ length: 1000 }, () => sign(alg, 3)))).map((token) =>
      Buffer.from(token),
    );
    const micros = await best(async () => pass(await open(), bytes, 1));
    report(`miss, ${alg}`, bytes[0]?.length ?? 0, micros);
  }
  await proofCost();
}

/** A known token that is bound to a key, with a new proof each time. */
async function proofCost(): Promise<void> {
  const key = makeDpopKey();
  const prover = new Prover(key);
  const token = await sign('EdDSA', 3, { cnf: { jkt: dpopThumbprint(key) } });
  const url = new URL('https://broker.example/v1/whoami');
  const micros = await best(async () => {
    const authenticator = await open({ possession: { ...defaultPossession, nonce: 'off' } });
    const jwts = Array.from({ length: 1000 }, () => prover.prove(token, { method: 'GET', url }));
    const startMs = performance.now();
    for (const jwt of jwts) {
      const proof = { jwt, method: 'GET', url: url.href };
      const result = await authenticator.authenticate({ token, source: '', scheme: 'dpop', proof }, 'view');
      if (!result.ok) throw new Error(result.error.detail);
    }
    return ((performance.now() - startMs) * 1000) / jwts.length;
  });
  report('hit with a proof, ES256', token.length, micros);
}

const ROUNDS = 4000;

/** Times of refusals, by why. */
async function oracle(): Promise<void> {
  const revocations = new MemoryRevocations();
  revocations.revoke({ kind: 'tenant', tenant: 'globex' });
  const authenticator = await open({ revocations, knownTenants: new Set(['acme', 'globex']) });
  const bad = (token: string): string => {
    const [header, payload, signature = ''] = token.split('.');
    const bytes = Buffer.from(signature, 'base64url');
    bytes[9] = (bytes[9] ?? 0) ^ 1;
    return `${header}.${payload}.${bytes.toString('base64url')}`;
  };
  const make: { readonly [why: string]: () => Promise<string> } = {
    'bad signature': async () => bad(await sign('ES256', 3)),
    'the same once more': async () => bad(await sign('ES256', 3)),
    'unknown issuer': async () => bad(await sign('ES256', 3, { iss: 'https://idp2.example' })),
    'unknown key': async () => bad(await sign('ES256', 3, {}, 'ES999')),
    'unknown subject': async () => bad(await sign('ES256', 3, { sub: 'mallo' })),
    'unknown tenant': async () => bad(await sign('ES256', 3, { tenant: 'nope' })),
    'signed: unknown tenant': () => sign('ES256', 3, { tenant: 'nope' }),
    'signed: revoked tenant': () => sign('ES256', 3, { tenant: 'globex' }),
  };
  const times = new Map<string, number[]>(Object.keys(make).map((why) => [why, []]));
  const tokens = await Promise.all(
    Object.entries(make).flatMap(([why, one]) =>
      Array.from({ length: ROUNDS }, async () => ({ why, token: await one(), at: Math.random() })),
    ),
  );
  tokens.sort((a, b) => a.at - b.at);
  for (const { why, token } of tokens) {
    const startMs = performance.now();
    const result = await authenticator.authenticate(token);
    const tookMs = performance.now() - startMs;
    if (result.ok) throw new Error(`${why} was accepted`);
    times.get(why)?.push(tookMs * 1000);
  }
  const reference = times.get('bad signature') ?? [];
  console.log(`${'refused for'.padEnd(24)}${'median us'.padStart(12)}${'told apart'.padStart(12)}`);
  for (const [why, all] of times) {
    all.sort((a, b) => a - b);
    const median = all[Math.floor(all.length / 2)] ?? 0;
    console.log(
      `${why.padEnd(24)}${median.toFixed(1).padStart(12)}${toldApart(reference, all).toFixed(3).padStart(12)}`,
    );
  }
}

/** How often, of one time of each, the second is the longer one: 0.5 where the time tells nothing. */
function toldApart(one: readonly number[], other: readonly number[]): number {
  const all = [...one.map((us) => ({ us, second: false })), ...other.map((us) => ({ us, second: true }))];
  all.sort((a, b) => a.us - b.us);
  let shorter = 0;
  let wins = 0;
  for (const { second } of all) {
    if (second) wins += shorter;
    else shorter++;
  }
  return wins / (one.length * other.length);
}

try {
  await (process.argv.includes('--oracle') ? oracle() : costs());
} finally {
  rmSync(directory, { recursive: true });
}
