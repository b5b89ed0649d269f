import { appendFileSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import {
  createAuthenticator,
  defaultPossession,
  ProofFile,
  type ProofFileSystem,
} from '../../../src/broker/auth/index.ts';
import { ProofMemory, proofName } from '../../../src/broker/auth/proof-memory.ts';
import {
  bench,
  digestOf,
  issuerOf,
  makeKey,
  NOW,
  NOW_MS,
  proof,
  TestClock,
  temporaryDirectory,
  thumbprint,
  token,
} from './forge.ts';

const windowMs = 65_000;
const key = makeKey('EdDSA', 'k1');
const holder = makeKey('ES256', 'holder');
const bound = token(key, { cnf: { jkt: thumbprint(holder) }, iat: NOW - 600, exp: NOW + 6000 });
const ath = digestOf(bound);

interface Life {
  readonly bootId?: string | undefined;
  readonly fileSystem?: ProofFileSystem;
  readonly nonce?: 'required' | 'off';
}

const running: (() => Promise<void>)[] = [];
afterEach(() => Promise.all(running.splice(0).map((close) => close())));

/** One run of a broker over a directory. Closing writes nothing: it may as well have been killed. */
async function run(directory: string, atMs: number, { bootId = 'boot-1', fileSystem, nonce = 'off' }: Life = {}) {
  const clock = new TestClock();
  clock.nowMs = atMs;
  const file = new ProofFile({ directory, windowMs, bootId, ...(fileSystem === undefined ? {} : { fileSystem }) });
  const authenticator = await createAuthenticator([issuerOf([key])], {
    clock,
    knownTenants: new Set(['acme']),
    possession: { ...defaultPossession, nonce, file },
  });
  running.push(() => authenticator.close());
  const show = async (jwt: string): Promise<string> => {
    const shown = { jwt, method: 'GET', url: 'https://broker.example/v1/whoami' };
    const result = await authenticator.authenticate({ token: bound, source: '', scheme: 'dpop', proof: shown });
    return result.ok ? 'ok' : result.error.cause;
  };
  return { clock, show, close: () => authenticator.close() };
}

const at = (ms: number, changes: Record<string, unknown> = {}) =>
  proof(holder, { ath, iat: Math.floor(ms / 1000), ...changes });

/** A directory with one run behind it, in which one proof was shown. */
async function lived() {
  const directory = temporaryDirectory();
  const before = await run(directory, NOW_MS - 60_000);
  const clockSettledMs = NOW_MS - 50_000;
  before.clock.nowMs = clockSettledMs;
  const used = at(clockSettledMs);
  expect(await before.show(used)).toBe('ok');
  return { directory, used, before };
}

describe('a proof that was shown', () => {
  it('is refused by the next run of the broker, and a new one is not', async () => {
    const { directory, used } = await lived();
    const next = await run(directory, NOW_MS - 45_000);
    expect(await next.show(used)).toBe('proof-replayed');
    expect(await next.show(at(NOW_MS - 45_000))).toBe('ok');
  });

  it('is refused after a line was cut off while it was written', async () => {
    const { directory, used } = await lived();
    const [name = ''] = readdirSync(directory);
    appendFileSync(join(directory, name), '1799999950000 abc');
    const next = await run(directory, NOW_MS - 45_000);
    expect(await next.show(used)).toBe('proof-replayed');
    expect(await next.show(at(NOW_MS - 45_000))).toBe('ok');
  });

  it.each<readonly [string, (directory: string, name: string) => void, Life]>([
    ['the file was removed', (directory, name) => rmSync(join(directory, name)), {}],
    [
      'the file was emptied and filled with something else',
      (directory, name) => writeFileSync(join(directory, name), 'x\n'.repeat(99)),
      {},
    ],
    [
      'a line in the middle was damaged',
      (directory, name) => appendFileSync(join(directory, name), 'damaged\n1799999950000 AAAAAAAAAAAAAAAAAAAAAA '),
      {},
    ],
    ['the host was started again, and the last lines may be lost', () => {}, { bootId: 'boot-2' }],
  ])('is refused where %s: nothing from before that start counts', async (_what, damage, life) => {
    const { directory, used } = await lived();
    const [name = ''] = readdirSync(directory);
    damage(directory, name);
    const next = await run(directory, NOW_MS - 45_000, life);
    expect(await next.show(used)).not.toBe('ok');
    expect(await next.show(at(NOW_MS - 46_000))).toBe('proof-time');
    // The tolerance for clocks that are ahead has to pass as well.
    next.clock.nowMs = NOW_MS - 39_000;
    expect(await next.show(at(NOW_MS - 39_000))).toBe('ok');
  });

  it('is not accepted where it cannot be written down, and the next one is when that works again', async () => {
    let full = false;
    const fileSystem: ProofFileSystem = {
      open: async (path, flags, mode) => {
        if (full) throw Object.assign(new Error('full'), { code: 'ENOSPC' });
        const file = await open(path, flags, mode);
        const appendFile: typeof file.appendFile = async (data, options) => {
          if (full) throw Object.assign(new Error('full'), { code: 'ENOSPC' });
          await file.appendFile(data, options);
        };
        return { appendFile, close: () => file.close() };
      },
    };
    const directory = temporaryDirectory();
    const broker = await run(directory, NOW_MS - 60_000, { fileSystem });
    broker.clock.nowMs = NOW_MS;
    expect(await broker.show(at(NOW_MS))).toBe('ok');
    full = true;
    const lost = at(NOW_MS);
    expect(await broker.show(lost)).toBe('proof-store');
    expect(await broker.show(at(NOW_MS))).toBe('proof-store');
    full = false;
    broker.clock.nowMs += 1500;
    expect(await broker.show(at(NOW_MS + 1500))).toBe('ok');
    // It was refused for want of room on the disk, but it was shown.
    expect(await broker.show(lost)).toBe('proof-replayed');
    await broker.close();
    const next = await run(directory, NOW_MS + 3000);
    expect(await next.show(at(NOW_MS + 3000))).toBe('ok');
  });

  it('is kept for as long as it could be shown, and no longer: files are few, small and for their owner only', async () => {
    const directory = temporaryDirectory();
    const broker = await run(directory, NOW_MS - 60_000);
    for (let i = 0; i < 40; i++) {
      broker.clock.nowMs = NOW_MS + i * 20_000;
      expect(await broker.show(at(broker.clock.nowMs))).toBe('ok');
      expect(readdirSync(directory).length).toBeLessThanOrEqual(4);
    }
    for (const name of readdirSync(directory)) expect(statSync(join(directory, name)).mode & 0o777).toBe(0o600);
    const lines = readdirSync(directory).flatMap((name) => readFileSync(join(directory, name), 'latin1').split('\n'));
    expect(lines.filter((line) => /^\d/.test(line)).length).toBeLessThan(16);
    await broker.close();
  });

  it('is refused after the clock was ahead for a while, which let it be forgotten, and the broker was started again', async () => {
    const directory = temporaryDirectory();
    const before = await run(directory, NOW_MS - 60_000);
    before.clock.nowMs = NOW_MS;
    const used = at(NOW_MS);
    expect(await before.show(used)).toBe('ok');
    // An hour ahead, where one more proof is shown; then somebody sets the clock right.
    before.clock.nowMs = NOW_MS + 3_600_000;
    expect(await before.show(at(before.clock.nowMs))).toBe('ok');
    await before.close();
    const next = await run(directory, NOW_MS + 10_000);
    expect(await next.show(used)).toBe('proof-time');
    next.clock.nowMs = NOW_MS + 16_000;
    expect(await next.show(used)).toBe('proof-time');
    expect(await next.show(at(NOW_MS + 16_000))).toBe('ok');
  });

  it('keeps nobody waiting at the first start where nonces are required: an old proof has no nonce of this run', async () => {
    const broker = await run(temporaryDirectory(), NOW_MS, { nonce: 'required' });
    expect(await broker.show(at(NOW_MS))).toBe('proof-nonce');
  });

  it('stops the broker where the directory cannot be used', async () => {
    const path = join(temporaryDirectory(), 'file');
    writeFileSync(path, '');
    await expect(run(path, NOW_MS)).rejects.toThrow(/DPoP proofs cannot be remembered/);
  });
});

describe('the memory of proofs', () => {
  it('accepts none twice, whatever the clock does, and never holds more than it may', () => {
    const step = fc.record({
      advanceMs: fc.oneof(fc.integer({ min: -100_000, max: 100_000 }), fc.integer({ min: 0, max: 3000 })),
      id: fc.integer({ min: 0, max: 20 }),
      who: fc.integer({ min: 0, max: 2 }),
      ageMs: fc.integer({ min: -5000, max: windowMs }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const memory = new ProofMemory({ windowMs, capacity: 12 });
        const accepted = new Set<string>();
        let nowMs = NOW_MS;
        for (const { advanceMs, id, who, ageMs } of steps) {
          nowMs += advanceMs;
          const holderOf = `key-${who}`;
          // A proof is what was signed: its time is a part of it.
          const issuedAtMs = NOW_MS + Math.floor((nowMs - NOW_MS - ageMs) / 10_000) * 10_000;
          const name = proofName(holderOf, `${id} ${issuedAtMs}`);
          const result = memory.remember({ name, holder: holderOf, issuedAtMs }, nowMs);
          if (accepted.has(name)) expect(result).not.toBe('new');
          if (result === 'new') accepted.add(name);
          expect(memory.size).toBeLessThanOrEqual(12);
        }
      }),
      { numRuns: 500, seed: 7 },
    );
  });

  it('keeps room for the other tenants when one fills his own, with however many keys', async () => {
    const { authenticator, clock } = await bench([issuerOf([key])], {
      possession: { ...defaultPossession, nonce: 'off', proofs: 20 },
      knownTenants: new Set(['acme', 'globex']),
    });
    const holders = Array.from({ length: 5 }, (_, i) => makeKey('ES256', `holder-${i}`));
    const show = async (tenant: string, own: (typeof holders)[number]) => {
      const shownToken = token(key, { tenant, cnf: { jkt: thumbprint(own) } });
      const jwt = proof(own, { ath: digestOf(shownToken), iat: Math.floor(clock.nowMs / 1000) });
      const shown = { jwt, method: 'GET', url: 'https://broker.example/v1/whoami' };
      const result = await authenticator.authenticate({ token: shownToken, source: '', scheme: 'dpop', proof: shown });
      return result.ok ? 'ok' : result.error.cause;
    };
    const greedy: string[] = [];
    for (let i = 0; i < 15; i++) greedy.push(await show('acme', holders[i % 5] ?? holder));
    expect(greedy.filter((one) => one === 'ok')).toHaveLength(10);
    expect(greedy.at(-1)).toBe('proof-store');
    expect(await show('globex', holder)).toBe('ok');
    // What he took comes back with time.
    clock.nowMs += 80_000;
    expect(await show('acme', holder)).toBe('ok');
  });

  it('of however many tenants who fill it together, the next one finds room', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 200, max: 1000 }), (greedy, capacity) => {
        const memory = new ProofMemory({ windowMs, capacity });
        let count = 0;
        const take = (holder: string) =>
          memory.remember({ name: `${count++}`, holder, issuedAtMs: NOW_MS }, NOW_MS) === 'new';
        for (let i = 0; i < capacity * greedy; i++) take(`tenant-${i % greedy}`);
        let found = 0;
        while (take('next')) found++;
        expect(found).toBeGreaterThanOrEqual(Math.floor(capacity / (greedy + 1) / 2));
        expect(memory.size).toBeLessThanOrEqual(capacity);
      }),
    );
  });

  it('takes every proof of one holder that comes within its room', async () => {
    const { authenticator } = await bench([issuerOf([key])], { possession: { ...defaultPossession, nonce: 'off' } });
    for (let i = 0; i < 20; i++) {
      const shown = { jwt: proof(holder, { ath }), method: 'GET', url: 'https://broker.example/v1/whoami' };
      const result = await authenticator.authenticate({ token: bound, source: '', scheme: 'dpop', proof: shown });
      expect(result.ok).toBe(true);
    }
    expect(authenticator.stats.proofs).toBe(20);
  });
});
