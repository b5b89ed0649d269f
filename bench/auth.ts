/**
 * Cost of authentication: `node bench/auth.ts`. A hit is a token that was verified before; a miss is verified anew.
 * Best of five runs; every string is fresh, as one off a socket is, because a string that was hashed before keeps it.
 */
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SignJWT } from 'jose';
import { type Algorithm, type Authenticator, createAuthenticator } from '../src/broker/auth/index.ts';

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

async function sign(alg: BenchAlgorithm, groups: number): Promise<string> {
  return new SignJWT({ tenant: 'acme', groups: Array.from({ length: groups }, () => randomUUID()), scope: 'cci:read' })
    .setProtectedHeader({ alg, kid: alg, typ: 'JWT' })
    .setIssuer(ISSUER)
    .setAudience('cci-broker')
    .setSubject('alice')
    .setJti(randomUUID())
    .setIssuedAt()
    .setExpirationTime('1h')
    .sign(pairs[alg].privateKey);
}

function open(): Promise<Authenticator> {
  const path = join(directory, 'jwks.json');
  const keys = names.map((kid) => ({ ...pairs[kid].publicKey.export({ format: 'jwk' }), kid }));
  writeFileSync(path, JSON.stringify({ keys }));
  return createAuthenticator([{ issuer: ISSUER, audience: 'cci-broker', algorithms: names, jwks_file: path }], {
    clock: Date,
    knownTenants: new Set(['acme']),
  });
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

console.log(`${'case'.padEnd(24)}${'bytes'.padStart(8)}${'us'.padStart(12)}`);
try {
  for (const groups of [0, 10, 40]) {
    const tokens = await Promise.all(Array.from({ length: 500 }, () => sign('EdDSA', groups)));
    const bytes = tokens.map((token) => Buffer.from(token));
    const authenticator = await open();
    await pass(authenticator, bytes, 20);
    report(`hit, ${groups} groups`, bytes[0]?.length ?? 0, await best(() => pass(authenticator, bytes, 200)));
  }
  for (const alg of names) {
    const bytes = (await Promise.all(Array.from({ length: 1000 }, () => sign(alg, 3)))).map((token) =>
      Buffer.from(token),
    );
    const micros = await best(async () => pass(await open(), bytes, 1));
    report(`miss, ${alg}`, bytes[0]?.length ?? 0, micros);
  }
} finally {
  rmSync(directory, { recursive: true });
}
