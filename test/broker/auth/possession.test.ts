import { describe, expect, it, vi } from 'vitest';
import {
  type AuthenticatorOptions,
  commandWish,
  defaultPossession,
  MemoryRevocations,
  ProofFile,
  wishDigest,
} from '../../../src/broker/auth/index.ts';
import type { CommandRequest, Credential } from '../../../src/broker/core-api.ts';
import {
  bench,
  digestOf,
  encode,
  forge,
  issuerOf,
  makeKey,
  NOW,
  NOW_MS,
  PROOF_URL,
  proof,
  rawSign,
  temporaryDirectory,
  thumbprint,
  token,
} from './forge.ts';

const key = makeKey('EdDSA', 'k1');
const holder = makeKey('ES256', 'holder');
const thief = makeKey('ES256', 'thief');
const jkt = thumbprint(holder);
const certificate = digestOf('a certificate');
const noNonce = { possession: { ...defaultPossession, nonce: 'off' } } as const;

const bound = token(key, { cnf: { jkt } });
const withCertificate = token(key, { cnf: { 'x5t#S256': certificate } });
const ath = digestOf(bound);

type Require = 'none' | 'dpop' | 'mtls' | 'dpop-command';

async function broker(options: Partial<AuthenticatorOptions> = noNonce, require: Require = 'none') {
  const made = await bench([issuerOf([key], { require })], options);
  const { authenticator } = made;
  const cause = async (shown: Partial<Credential>, purpose?: Parameters<typeof authenticator.authenticate>[1]) => {
    const result = await authenticator.authenticate({ token: bound, source: '192.0.2.1:1', ...shown }, purpose);
    return result.ok ? 'ok' : result.error.cause;
  };
  return { ...made, cause };
}

/** A token shown as it should be, but for what a test changes. */
const shown = (jwt: string, more: Partial<Credential> = {}): Partial<Credential> => ({
  scheme: 'dpop',
  proof: { jwt, method: 'GET', url: PROOF_URL },
  ...more,
});

describe('a token that is bound to a key', () => {
  it('is good with a proof of the key, and worth nothing as a bearer token, whatever its issuer requires', async () => {
    const { cause } = await broker();
    expect(await cause(shown(proof(holder, { ath })))).toBe('ok');
    expect(await cause({})).toBe('scheme');
    expect(
      await cause({ scheme: 'bearer', proof: { jwt: proof(holder, { ath }), method: 'GET', url: PROOF_URL } }),
    ).toBe('scheme');
    expect(await cause({ scheme: 'dpop' })).toBe('proof-missing');
  });

  it('costs no more than others where its holder chose an RSA key with an endless exponent', async () => {
    const { cause } = await broker();
    const n = Buffer.alloc(384, 0xff).toString('base64url');
    const e = Buffer.alloc(384, 0x7f).toString('base64url');
    const jwk = { kty: 'RSA', n, e };
    const own = digestOf(JSON.stringify({ e, kty: 'RSA', n }));
    const itsToken = token(key, { cnf: { jkt: own } });
    const claims = encode({ jti: 'x', htm: 'GET', htu: PROOF_URL, iat: NOW, ath: digestOf(itsToken) });
    const jwt = `${encode({ typ: 'dpop+jwt', alg: 'RS256', jwk })}.${claims}.${n}`;
    const verify = vi.spyOn(crypto.subtle, 'verify');
    const given = { jwt, method: 'GET', url: PROOF_URL };
    expect(await cause({ token: itsToken, scheme: 'dpop', proof: given })).toBe('proof');
    expect(verify).toHaveBeenCalledTimes(1);
  });

  const flip = (jwt: string): string => {
    const bytes = Buffer.from(jwt.split('.')[2] ?? '', 'base64url');
    bytes[5] = (bytes[5] ?? 0) ^ 1;
    return `${jwt.split('.').slice(0, 2).join('.')}.${bytes.toString('base64url')}`;
  };
  const { kid: _kid, ...holderJwk } = holder.jwk;
  const otherKeyInHeader = (): string => {
    const input = `${encode({ typ: 'dpop+jwt', alg: 'ES256', jwk: holderJwk })}.${encode({ jti: 'x', htm: 'GET', htu: PROOF_URL, iat: NOW, ath })}`;
    return `${input}.${rawSign(thief, input).toString('base64url')}`;
  };
  it.each<readonly [string, () => string, string]>([
    ['with a proof by another key', () => proof(thief, { ath }), 'proof'],
    ['with a proof signed by another key than it names', otherKeyInHeader, 'proof'],
    ['with a changed signature', () => flip(proof(holder, { ath })), 'proof'],
    ['with the type of a token', () => proof(holder, { ath }, { typ: 'JWT' }), 'proof'],
    ['without a type', () => proof(holder, { ath }, { typ: undefined }), 'proof'],
    ['with no algorithm', () => proof(holder, { ath }, { alg: 'none' }), 'proof'],
    ['with a symmetric algorithm', () => proof(holder, { ath }, { alg: 'HS256' }), 'proof'],
    ['with an algorithm that is not accepted', () => proof(holder, { ath }, { alg: 'ES512' }), 'proof'],
    ['with an algorithm of another key type', () => proof(holder, { ath }, { alg: 'EdDSA' }), 'proof'],
    ['with a private key in it', () => proof(holder, { ath }, { jwk: { ...holderJwk, d: 'AA' } }), 'proof'],
    ['with no key in it', () => proof(holder, { ath }, { jwk: undefined }), 'proof'],
    ['with a key set in it', () => proof(holder, { ath }, { jwk: [holderJwk] }), 'proof'],
    ['with a header that wants something', () => proof(holder, { ath }, { crit: ['exp'] }), 'proof'],
    ['with a key behind a URL', () => proof(holder, { ath }, { jku: 'https://x/' }), 'proof'],
    ['for another method', () => proof(holder, { ath, htm: 'POST' }), 'proof'],
    ['for the method in lower case', () => proof(holder, { ath, htm: 'get' }), 'proof'],
    ['for another path', () => proof(holder, { ath, htu: 'https://broker.example/v1/switches' }), 'proof'],
    ['for another host', () => proof(holder, { ath, htu: 'https://evil.example/v1/whoami' }), 'proof'],
    ['for another port', () => proof(holder, { ath, htu: 'https://broker.example:444/v1/whoami' }), 'proof'],
    ['for plain http', () => proof(holder, { ath, htu: 'http://broker.example/v1/whoami' }), 'proof'],
    ['for a URL with a user', () => proof(holder, { ath, htu: 'https://a@broker.example/v1/whoami' }), 'proof'],
    ['for no URL', () => proof(holder, { ath, htu: '/v1/whoami' }), 'proof'],
    ['for another token', () => proof(holder, { ath: digestOf('other') }), 'proof'],
    ['for no token', () => proof(holder, {}), 'proof'],
    ['without an id', () => proof(holder, { ath, jti: undefined }), 'proof'],
    ['with an empty id', () => proof(holder, { ath, jti: '' }), 'proof'],
    ['with an endless id', () => proof(holder, { ath, jti: 'x'.repeat(300) }), 'proof'],
    ['without a time', () => proof(holder, { ath, iat: undefined }), 'proof'],
    ['with a time in words', () => proof(holder, { ath, iat: 'now' }), 'proof'],
    ['made too long ago', () => proof(holder, { ath, iat: NOW - 66 }), 'proof-time'],
    ['from the future', () => proof(holder, { ath, iat: NOW + 6 }), 'proof-time'],
    [
      'with claims that are no JSON',
      () => forge(holder, { typ: 'dpop+jwt', alg: 'ES256', jwk: holderJwk }, '{'),
      'proof',
    ],
    ['that is no proof', () => 'x', 'proof'],
    ['of endless length', () => proof(holder, { ath, more: 'x'.repeat(5000) }), 'proof'],
    ['made for a command, and shown for a look', () => proof(holder, { ath, cci: digestOf('x') }), 'proof-command'],
  ])('is refused %s', async (_what, make, expected) => {
    const { cause } = await broker();
    expect(await cause(shown(make()), 'view')).toBe(expected);
    // Nothing that was refused has used up anything.
    expect(await cause(shown(proof(holder, { ath })), 'view')).toBe('ok');
  });

  it.each([
    'https://broker.example/v1/whoami?after=1#x',
    'HTTPS://BROKER.example/v1/whoami',
    'https://broker.example:443/v1/whoami',
    'https://broker.example/v1/./x/../whoami',
    'https://broker.example/v1/%77hoami',
  ])('is good with a proof for the same URL in another spelling: %s', async (htu) => {
    const { cause } = await broker();
    expect(await cause(shown(proof(holder, { ath, htu })))).toBe('ok');
  });

  it('is refused with a proof that was shown before, also one with another signature, and two at once count once', async () => {
    const { cause } = await broker();
    const one = proof(holder, { ath, jti: 'same' });
    expect(await cause(shown(one))).toBe('ok');
    expect(await cause(shown(one))).toBe('proof-replayed');
    expect(await cause(shown(proof(holder, { ath, jti: 'same' })))).toBe('proof-replayed');
    const another = proof(holder, { ath });
    const both = await Promise.all([cause(shown(another)), cause(shown(another))]);
    expect(both.sort()).toEqual(['ok', 'proof-replayed']);
  });

  it('is refused with an old proof although the clock went back to when it was good', async () => {
    const { cause, clock } = await broker();
    const one = proof(holder, { ath });
    expect(await cause(shown(one))).toBe('ok');
    clock.nowMs += 200_000;
    expect(await cause(shown(proof(holder, { ath, iat: NOW + 200 })))).toBe('ok');
    clock.nowMs = NOW_MS;
    expect(await cause(shown(one))).toBe('proof-time');
  });

  it('waits while there is no room for more proofs, and one tenant takes only a part of the room', async () => {
    const possession = { ...defaultPossession, nonce: 'off', proofs: 8 } as const;
    const { cause, clock } = await broker({ possession });
    for (let i = 0; i < 4; i++) expect(await cause(shown(proof(holder, { ath })))).toBe('ok');
    expect(await cause(shown(proof(holder, { ath })))).toBe('proof-store');
    const otherToken = token(key, { tenant: 'globex', cnf: { jkt: thumbprint(thief) } });
    const other = proof(thief, { ath: digestOf(otherToken) });
    expect(await cause({ ...shown(other), token: otherToken })).toBe('ok');
    clock.nowMs += 80_000;
    expect(await cause(shown(proof(holder, { ath, iat: NOW + 80 })))).toBe('ok');
  });
});

describe('a nonce', () => {
  it('is asked for, taken, and asked for anew when it is old', async () => {
    const { authenticator, clock, cause } = await broker({});
    const ask = async () => {
      const iat = Math.floor(clock.nowMs / 1000);
      const result = await authenticator.authenticate({
        token: bound,
        source: '',
        ...shown(proof(holder, { ath, iat })),
      });
      return result.ok ? undefined : result.error.dpop;
    };
    const first = await ask();
    expect(first?.error).toBe('use_dpop_nonce');
    const { nonce } = first ?? {};
    expect(await cause(shown(proof(holder, { ath, nonce })))).toBe('ok');
    expect(await cause(shown(proof(holder, { ath, nonce: `${nonce}x` })))).toBe('proof-nonce');
    expect(await cause(shown(proof(holder, { ath, nonce: '' })))).toBe('proof-nonce');
    clock.nowMs += 301_000;
    expect(await cause(shown(proof(holder, { ath, nonce, iat: NOW + 301 })))).toBe('proof-nonce');
    const next = await ask();
    expect(await cause(shown(proof(holder, { ath, nonce: next?.nonce, iat: NOW + 301 })))).toBe('ok');
  });

  it('of another broker, or of this one before it was started again, is not taken', async () => {
    const [one, other] = [await broker({}), await broker({})];
    const asked = await one.authenticator.authenticate({ token: bound, source: '', ...shown(proof(holder, { ath })) });
    const nonce = asked.ok ? undefined : asked.error.dpop?.nonce;
    expect(await other.cause(shown(proof(holder, { ath, nonce })))).toBe('proof-nonce');
    expect(await one.cause(shown(proof(holder, { ath, nonce })))).toBe('ok');
  });
});

describe('a token that is bound to a certificate', () => {
  it('is good over a connection with that certificate only', async () => {
    const { cause } = await broker();
    expect(await cause({ token: withCertificate, certificate })).toBe('ok');
    expect(await cause({ token: withCertificate })).toBe('certificate');
    expect(await cause({ token: withCertificate, certificate: digestOf('another') })).toBe('certificate');
    expect(await cause({ token: withCertificate, certificate, scheme: 'dpop' })).toBe('not-bound');
  });

  it('and to a key needs both', async () => {
    const both = token(key, { cnf: { jkt, 'x5t#S256': certificate } });
    const { cause } = await broker();
    const proved = () => shown(proof(holder, { ath: digestOf(both) }));
    expect(await cause({ ...proved(), token: both, certificate })).toBe('ok');
    expect(await cause({ ...proved(), token: both })).toBe('certificate');
    expect(await cause({ token: both, certificate })).toBe('scheme');
  });
});

describe('a claim `cnf`', () => {
  it.each([
    ['that is empty', {}],
    ['with a way to be bound that is not known', { jwk: {} }],
    ['with a known way and an unknown one', { jkt, 'x5u#S256': 'x' }],
    ['that is no object', 'x'],
    ['with a thumbprint that is none', { jkt: 'x' }],
    ['with a thumbprint of other bits', { jkt: `${jkt.slice(0, 42)}B` }],
    ['with a certificate that is none', { 'x5t#S256': 1 }],
  ])('%s makes a token that nobody can use', async (_what, cnf) => {
    const { cause } = await broker();
    expect(['sender-constrained', 'claims']).toContain(await cause({ token: token(key, { cnf }) }));
  });
});

describe('an issuer that requires', () => {
  const plain = token(key);
  it.each<readonly [Require, readonly [string, string, string]]>([
    ['none', ['ok', 'ok', 'ok']],
    ['dpop', ['unbound', 'ok', 'unbound']],
    ['mtls', ['unbound', 'unbound', 'ok']],
  ])('%s takes tokens of these kinds: bearer, of a key, of a certificate', async (require, expected) => {
    const { cause } = await broker(noNonce, require);
    expect([
      await cause({ token: plain }),
      await cause(shown(proof(holder, { ath }))),
      await cause({ token: withCertificate, certificate }),
    ]).toEqual(expected);
  });

  it('nothing refuses the scheme DPoP with a token that is bound to no key', async () => {
    const { cause } = await broker();
    expect(await cause({ ...shown(proof(holder, { ath: digestOf(plain) })), token: plain })).toBe('not-bound');
  });

  describe('a proof for each command', () => {
    const reset: CommandRequest = { kind: 'named', command: 'bind-vppb', params: { vcs_id: 0 }, via: 'port:3' };
    const purpose =
      (request: CommandRequest, switchName = 'sw0') =>
      () =>
        commandWish('commands', switchName, request);
    const cci = wishDigest(purpose(reset)());

    it('takes it for that very command, once', async () => {
      const { cause } = await broker(noNonce, 'dpop-command');
      const jwt = proof(holder, { ath, cci });
      expect(await cause(shown(jwt), purpose(reset))).toBe('ok');
      expect(await cause(shown(jwt), purpose(reset))).toBe('proof-replayed');
    });

    it.each<readonly [string, CommandRequest, string]>([
      ['another command', { ...reset, command: 'unbind-vppb' } as CommandRequest, 'sw0'],
      ['other parameters', { ...reset, params: { vcs_id: 1 } } as CommandRequest, 'sw0'],
      ['another target', { ...reset, via: 'port:4' } as CommandRequest, 'sw0'],
      ['another switch', reset, 'sw1'],
      ['the same as bytes', { kind: 'message', bytes: new Uint8Array(12) }, 'sw0'],
      ['a raw command', { kind: 'raw', opcode: 0x5201, payload: new Uint8Array(0) }, 'sw0'],
    ])('refuses it for %s', async (_what, request, switchName) => {
      const { cause } = await broker(noNonce, 'dpop-command');
      expect(await cause(shown(proof(holder, { ath, cci })), purpose(request, switchName))).toBe('proof-command');
    });

    it('refuses a proof for no command, for asking whether it may, and where nobody says what it is for', async () => {
      const { cause } = await broker(noNonce, 'dpop-command');
      expect(await cause(shown(proof(holder, { ath })), purpose(reset))).toBe('proof-command');
      const may = () => commandWish('decisions', 'sw0', reset);
      expect(await cause(shown(proof(holder, { ath, cci })), may)).toBe('proof-command');
      expect(await cause(shown(proof(holder, { ath })))).toBe('proof-command');
      expect(await cause(shown(proof(holder, { ath })), 'view')).toBe('ok');
    });

    it('holds a digest that is there to it where none is required, too', async () => {
      const { cause } = await broker();
      expect(await cause(shown(proof(holder, { ath, cci })), purpose(reset))).toBe('ok');
      expect(await cause(shown(proof(holder, { ath, cci })), purpose(reset, 'sw1'))).toBe('proof-command');
      expect(await cause(shown(proof(holder, { ath })), purpose(reset))).toBe('ok');
    });

    it('takes no command on a stream', async () => {
      const { cause, authenticator } = await broker(noNonce, 'dpop-command');
      const begun = await authenticator.begin({ token: bound, source: '', ...shown(proof(holder, { ath })) });
      const session = begun.ok ? begun.value : {};
      expect(await cause(session, 'view')).toBe('ok');
      expect(await cause(session, purpose(reset))).toBe('proof-command');
      expect(await cause(session)).toBe('proof-command');
    });
  });
});

describe('while a proof is looked at and written down', () => {
  /** A disk that takes a line when it is told to. */
  async function slow(revocations: MemoryRevocations) {
    let write = (): void => {};
    let reached = (): void => {};
    const isWriting = new Promise<void>((resolve) => {
      reached = resolve;
    });
    const written = new Promise<void>((resolve) => {
      write = resolve;
    });
    const appendFile = async (): Promise<void> => {
      reached();
      await written;
    };
    const open = async () => ({ appendFile, close: async () => {} });
    const file = new ProofFile({
      directory: temporaryDirectory(),
      windowMs: 65_000,
      bootId: 'x',
      fileSystem: { open },
    });
    const possession = { ...defaultPossession, nonce: 'off', file } as const;
    const made = await broker({ possession, revocations });
    made.clock.nowMs += 6000;
    return { ...made, isWriting, write };
  }

  it('a revocation of the token counts already', async () => {
    const revocations = new MemoryRevocations();
    const { cause, isWriting, write } = await slow(revocations);
    const answer = cause(shown(proof(holder, { ath, iat: NOW + 6 })));
    await isWriting;
    revocations.revoke({ kind: 'key', thumbprint: jkt });
    write();
    expect(await answer).toBe('revoked');
  });

  it('and so does its end', async () => {
    const { cause, clock, isWriting, write } = await slow(new MemoryRevocations());
    const answer = cause(shown(proof(holder, { ath, iat: NOW + 6 })));
    await isWriting;
    clock.nowMs += 3_600_000;
    write();
    expect(await answer).toBe('expired');
  });
});

describe('a stream that began with a proof', () => {
  async function begun() {
    const made = await broker();
    const credential = { token: bound, source: '', ...shown(proof(holder, { ath })) } as Credential;
    const result = await made.authenticator.begin(credential);
    if (!result.ok) throw new Error(result.error.cause);
    return { ...made, credential, session: result.value };
  }

  it('needs no further proof, and the proof itself is used up', async () => {
    const { session, credential, cause } = await begun();
    expect(session.proof).toBeUndefined();
    for (let i = 0; i < 3; i++) expect(await cause(session)).toBe('ok');
    expect(await cause(credential)).toBe('proof-replayed');
  });

  it('ends when it is ended, with its token, and when that is revoked', async () => {
    const one = await begun();
    one.authenticator.end(one.session.session ?? '');
    expect(await one.cause(one.session)).toBe('session');
    const two = await begun();
    two.clock.nowMs = NOW_MS + 600_000;
    expect(await two.cause(two.session)).toBe('expired');
  });

  it('is for that token only, and a made-up one is nothing', async () => {
    const { session, cause } = await begun();
    const other = token(key, { jti: 'other', cnf: { jkt } });
    expect(await cause({ ...session, token: other })).toBe('session');
    expect(await cause({ ...session, session: 'A'.repeat(43) })).toBe('session');
    expect(await cause({ ...session, session: '' })).toBe('session');
    expect(await cause({ ...session, scheme: 'bearer' })).toBe('scheme');
  });

  it('of a bearer token or a certificate needs no session, and a refused one gets none', async () => {
    const { authenticator } = await broker();
    const plain = { token: token(key), source: '' };
    expect(await authenticator.begin(plain)).toEqual({ ok: true, value: plain });
    const tls = { token: withCertificate, source: '', certificate };
    expect(await authenticator.begin(tls)).toEqual({ ok: true, value: tls });
    expect((await authenticator.begin({ token: bound, source: '' })).ok).toBe(false);
    expect(authenticator.stats.sessions).toBe(0);
  });

  it('counts against its token: one token cannot take the room of the others', async () => {
    const possession = { ...defaultPossession, nonce: 'off', sessions: 32 } as const;
    const { authenticator } = await broker({ possession });
    const begin = async (shownToken: string) => {
      const jwt = proof(holder, { ath: digestOf(shownToken) });
      const result = await authenticator.begin({ token: shownToken, source: '', ...shown(jwt) } as Credential);
      return result.ok ? 'ok' : result.error.cause;
    };
    expect([await begin(bound), await begin(bound), await begin(bound)]).toEqual(['ok', 'ok', 'sessions-full']);
    expect(await begin(token(key, { jti: 'other', cnf: { jkt } }))).toBe('ok');
    expect(authenticator.stats.sessions).toBe(3);
  });
});
