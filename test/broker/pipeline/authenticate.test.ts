import { describe, expect, it } from 'vitest';
import { refuse } from '../../../src/broker/auth/refusal.ts';
import { authenticate, authenticateAgain, authenticateStream } from '../../../src/broker/pipeline/authenticate.ts';
import { BY_ACME, Handmade } from '../../support/handmade-switch.ts';

const sentence = refuse('signature', '').sentence;

function refusing(refusal: ReturnType<typeof refuse>, refusedTokens?: object) {
  const asked: unknown[][] = [];
  const answer = async (...details: unknown[]) => {
    asked.push(details);
    return { ok: false, error: refusal };
  };
  const authenticator = { authenticate: answer, again: answer, begin: answer };
  const made = new Handmade({ services: { authenticator, refusedTokens } as never });
  return { made, asked };
}

describe('a good token', () => {
  it('is its principal, at each door', async () => {
    const made = new Handmade();
    const request = made.request();
    const value = made.principal('acme');
    expect(await authenticate(made.services, BY_ACME, request)).toEqual({ ok: true, value });
    expect(await authenticateAgain(made.services, BY_ACME, request)).toEqual({ ok: true, value });
    expect(await authenticateStream(made.services, BY_ACME, request)).toEqual({
      ok: true,
      value: { ...BY_ACME, session: 'session' },
    });
    expect(made.records).toEqual([]);
    expect(made.done).toEqual([]);
  });
});

describe('a token that is refused', () => {
  it.each([
    ['signature', refuse('signature', 'why'), { code: 'EAUTH', detail: sentence, returnCode: 2 }],
    [
      'too-many',
      refuse('too-many', 'why', { retryAfterMs: 700 }),
      { code: 'EAGAIN', detail: refuse('too-many', '').sentence, returnCode: 5, retryAfterMs: 700 },
    ],
    [
      'proof-store',
      refuse('proof-store', 'why'),
      { code: 'EAGAIN', detail: refuse('proof-store', '').sentence, returnCode: 5 },
    ],
    [
      'expired',
      refuse('expired', 'why', { dpop: { error: 'invalid_dpop_proof', nonce: 'n' } }),
      {
        code: 'EAUTH',
        detail: refuse('expired', '').sentence,
        returnCode: 2,
        dpop: { error: 'invalid_dpop_proof', nonce: 'n' },
      },
    ],
  ])('for %s is told so, counted and recorded', async (cause, refusal, error) => {
    const { made } = refusing(refusal);
    expect(await authenticate(made.services, BY_ACME, made.request())).toStrictEqual({ ok: false, error });
    expect(made.details('count refusedTokens')).toEqual([[{ cause }]]);
    expect(made.records).toEqual([
      {
        how: 'append',
        kind: 'authentication',
        body: {
          requestId: 'r-1',
          source: '192.0.2.1:5',
          result: 'refused',
          reason: cause,
          details: { detail: 'why' },
        },
        options: { durable: false },
      },
    ]);
  });

  it('is so at each door, and what the request is for is handed on', async () => {
    const { made, asked } = refusing(refuse('signature', 'why'));
    const purpose = (() => undefined) as never;
    expect((await authenticate(made.services, BY_ACME, made.request(), purpose)).ok).toBe(false);
    expect((await authenticateAgain(made.services, BY_ACME, made.request())).ok).toBe(false);
    expect((await authenticateStream(made.services, BY_ACME, made.request())).ok).toBe(false);
    expect(asked).toEqual([[BY_ACME, purpose], [BY_ACME], [BY_ACME]]);
    expect(made.records).toHaveLength(3);
  });

  it('for want of a nonce is counted and not recorded: nothing was refused to anybody', async () => {
    const { made } = refusing(refuse('proof-nonce', 'why'));
    expect(await authenticate(made.services, BY_ACME, made.request())).toMatchObject({ error: { code: 'EAUTH' } });
    expect(made.times('count refusedTokens')).toBe(1);
    expect(made.records).toEqual([]);
  });

  it.each([
    [true, 1],
    [false, 0],
  ])('beyond a few is left to the count (alone: %s)', async (isAlone, records) => {
    const noted: unknown[] = [];
    const refusal = refuse('signature', 'why');
    const note = (...details: unknown[]) => {
      noted.push(details);
      return isAlone;
    };
    const { made } = refusing(refusal, { note });
    await authenticate(made.services, BY_ACME, made.request());
    expect(noted).toEqual([[refusal, '192.0.2.1:5']]);
    expect(made.records).toHaveLength(records);
  });

  it('stays refused where that cannot be recorded, and the log has it', async () => {
    const { made } = refusing(refuse('signature', 'why'));
    const full = new Error('full');
    made.unwritable.set('authentication', full);
    expect(await authenticate(made.services, BY_ACME, made.request())).toMatchObject({ error: { code: 'EAUTH' } });
    expect(made.done.at(-1)).toEqual([
      'log error',
      { requestId: 'r-1', err: full },
      'a refused token could not be recorded',
    ]);
  });
});
