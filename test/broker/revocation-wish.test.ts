import fc from 'fast-check';
import { expect, it } from 'vitest';
import { revokedBy } from '../../src/broker/revocation-wish.ts';
import { userName } from '../../src/policy/index.ts';

const issuers = ['https://idp.example', 'https://idp.example/realms/a b', 'Käfer#1'];
const known = { issuers, tenants: ['acme', 'globex'] };
const issuer = fc.constantFrom(...issuers);
// Short: encoded, it is part of a name of 1024 characters at most.
const claim = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 });
const forms = [
  ['subject', 'user', (name: string) => ({ kind: 'principal', name })],
  ['token', 'jti', (tokenId: string) => ({ kind: 'token', tokenId })],
  ['key', 'kid', (thumbprint: string) => ({ kind: 'key', thumbprint })],
] as const;

it.each(forms)(
  'a %s is revoked by the name that records have, and by its bare name beside its issuer',
  (kind, prefix, made) => {
    fc.assert(
      fc.property(issuer, claim, (iss, bare) => {
        const name = userName(iss, bare).replace(/^user/, prefix);
        expect(revokedBy({ kind, name, reason: 'x' }, known)).toEqual(made(name));
        expect(revokedBy({ kind, name: bare, issuer: iss, reason: 'x' }, known)).toEqual(made(name));
      }),
    );
  },
);

const nonsense = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.string({ maxLength: 1100 }),
  fc
    .tuple(
      fc.constantFrom('user:', 'jti:', 'kid:', 'sha256:', 'group:', ''),
      fc.constantFrom(...issuers, 'https://other'),
      claim,
    )
    .map(([prefix, iss, name]) => `${prefix}${iss}#${name}`),
);

it('whatever is asked for is refused by the field that is wrong, or is something that a token here can be', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('token', 'subject', 'tenant', 'key'),
      nonsense,
      fc.option(fc.oneof(nonsense, issuer), { nil: undefined }),
      (kind, name, iss) => {
        const given = iss === undefined ? {} : { issuer: iss };
        const what = revokedBy({ kind, name, reason: 'x', ...given }, known);
        if ('code' in what) {
          expect(what).toMatchObject({ code: 'EPARAM', field: expect.stringMatching(/^(?:name|issuer)$/) });
          return;
        }
        const said = Object.values(what).at(-1) ?? '';
        const ofIssuers = issuers.map((one) => userName(one, '').slice('user:'.length));
        expect(
          /^(?:sha256:)?[A-Za-z0-9_-]{43}$/.test(said) ||
            known.tenants.includes(said) ||
            ofIssuers.some(
              (one) => /^(?:user|jti|kid):/.test(said) && said.slice(said.indexOf(':') + 1).startsWith(one),
            ),
          said,
        ).toBe(true);
      },
    ),
    { numRuns: 3000 },
  );
});
