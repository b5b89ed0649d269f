import { describe, expect, it } from 'vitest';
import { algorithms, MemoryRevocations } from '../../../src/broker/auth/index.ts';
import { bench, issuerOf, makeKey, type TestKey, token } from './forge.ts';

/** What nobody may find out by asking: which issuers, keys, tenants there are, and what was revoked. */

const key = makeKey('EdDSA', 'k1');
const second = makeKey('ES256', 'k2');
const stranger: TestKey = { ...makeKey('EdDSA', 'k1') };

async function broker() {
  const revocations = new MemoryRevocations();
  revocations.revoke({ kind: 'principal', name: 'user:https://idp.example#mallory' });
  const made = await bench([issuerOf([key, second], { tenants: ['acme'] })], { revocations });
  return made.authenticator;
}

const cases: readonly (readonly [string, string])[] = [
  ['signature', token(stranger)],
  ['unknown-issuer', token(key, { iss: 'https://nobody.example' })],
  ['unknown-issuer', token(stranger, { iss: 'https://nobody.example' })],
  ['unknown-key', token(key, {}, { kid: 'k9' })],
  ['unknown-key', token(stranger, {}, { kid: 'k9' })],
  ['unknown-tenant', token(key, { tenant: 'umbrella' })],
  ['foreign-tenant', token(key, { tenant: 'globex' })],
  ['revoked', token(key, { sub: 'mallory' })],
  ['signature', token(stranger, { sub: 'nobody' })],
  ['signature', token(stranger, { tenant: 'umbrella' })],
];

describe('tokens that are not accepted', () => {
  it('get one answer, to the letter', async () => {
    const authenticator = await broker();
    const answers = new Set<string>();
    for (const [cause, shown] of cases) {
      const result = await authenticator.authenticate(shown);
      expect(result.ok ? 'ok' : result.error.cause).toBe(cause);
      if (!result.ok) answers.add(JSON.stringify([result.error.code, result.error.sentence, result.error.dpop]));
    }
    expect(answers.size).toBe(1);
  });

  it('cost one signature each, whatever is wrong with them', async () => {
    for (const [, shown] of cases) {
      const authenticator = await broker();
      await authenticator.authenticate(shown);
      expect(authenticator.stats.signatures).toBe(1);
    }
  });

  it.each(algorithms)('cost one signature of algorithm %s too, where no issuer uses it', async (alg) => {
    const verified: string[] = [];
    const original = crypto.subtle.verify;
    const authenticator = await broker();
    const odd = token(makeKey(alg, 'odd'), { iss: 'https://nobody.example' });
    crypto.subtle.verify = (...args: Parameters<typeof original>) => {
      verified.push(args[1].algorithm.name);
      return original.apply(crypto.subtle, args);
    };
    try {
      const result = await authenticator.authenticate(odd);
      expect(result.ok ? 'ok' : result.error.code).toBe('rejected');
    } finally {
      crypto.subtle.verify = original;
    }
    expect(verified).toHaveLength(1);
  });
});
