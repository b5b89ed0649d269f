import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isObject, parseObject } from '../../../src/broker/auth/strict-json.ts';
import { bench, claims, encode, forge, issuerOf, makeKey, token } from './forge.ts';

const key = makeKey('EdDSA', 'k1');
const ec = makeKey('ES256', 'k2');
const rsa = makeKey('RS256', 'k3');
const base64url = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

const { authenticator } = await bench([issuerOf([key, ec, rsa])]);

describe('tokens nobody signed', () => {
  it('are refused and break nothing: 100,000 random strings', async () => {
    const digit = fc.constantFrom(...base64url);
    const part = fc.string({ unit: digit, maxLength: 60 });
    const header = fc.oneof(
      fc.record(
        {
          alg: fc.constantFrom('EdDSA', 'ES256', 'RS256', 'none', 'HS256'),
          kid: fc.oneof(fc.constantFrom('k1', 'k2'), fc.jsonValue()),
        },
        { requiredKeys: ['alg'] },
      ),
      fc.jsonValue(),
    );
    const body = fc.oneof(
      fc.constant(claims()),
      fc.dictionary(fc.constantFrom('iss', 'sub', 'exp'), fc.jsonValue()),
      fc.jsonValue(),
    );
    const anything = fc.oneof(
      { weight: 4, arbitrary: fc.string({ unit: 'binary', maxLength: 120 }) },
      { weight: 4, arbitrary: fc.tuple(part, part, part).map((parts) => parts.join('.')) },
      { weight: 1, arbitrary: fc.tuple(header, body, part).map(([h, b, s]) => `${encode(h)}.${encode(b)}.${s}`) },
    );
    let tried = 0;
    for (const candidate of fc.sample(anything, { numRuns: 100_000, seed: 7 })) {
      const result = await authenticator.authenticate(candidate);
      if (result.ok) throw new Error(`accepted ${candidate}`);
      tried++;
    }
    expect(tried).toBe(100_000);
    expect(authenticator.stats.cached).toBe(0);
  });

  it('do not come from one that was signed, by changing a character', async () => {
    const edit = fc.record({
      of: fc.constantFrom(key, ec, rsa),
      kind: fc.constantFrom('replace', 'insert', 'remove', 'swap', 'repeat'),
      at: fc.nat(),
      digit: fc.constantFrom(...base64url, '.', '=', ' ', '\n', 'é'),
    });
    await fc.assert(
      fc.asyncProperty(edit, async ({ of, kind, at, digit }) => {
        const valid = token(of);
        const place = at % valid.length;
        const [before, here, after] = [valid.slice(0, place), valid.charAt(place), valid.slice(place + 1)];
        const changed = {
          replace: before + digit + after,
          insert: before + digit + here + after,
          remove: before + after,
          swap: before + after.charAt(0) + here + after.slice(1),
          repeat: before + here + here + after,
        }[kind];
        if (changed !== valid) expect((await authenticator.authenticate(changed)).ok).toBe(false);
      }),
      { numRuns: 3000 },
    );
  });

  it('do not come from parts of several that were signed', async () => {
    const tokens = [key, ec, rsa]
      .flatMap((one) => [token(one), token(one, { tenant: 'globex' })])
      .map((t) => t.split('.'));
    for (const [h] of tokens)
      for (const [, p] of tokens)
        for (const [, , s] of tokens) {
          const mixed = [h, p, s].join('.');
          const isOriginal = tokens.some((parts) => parts.join('.') === mixed);
          expect((await authenticator.authenticate(mixed)).ok).toBe(isOriginal);
        }
  });
});

describe('claims of any shape', () => {
  it('make a principal or a refusal, never an exception, and only of tenants and scopes there are', async () => {
    const changes = fc.dictionary(
      fc.constantFrom(
        'sub',
        'tenant',
        'groups',
        'scope',
        'jti',
        'aud',
        'exp',
        'iat',
        'nbf',
        'cnf',
        '__proto__',
        'constructor',
      ),
      fc.oneof(
        fc.jsonValue({ maxDepth: 2 }),
        fc.constantFrom('acme', 'globex', 'cci:read', 'cci:raw x', '*', ['a', 'b']),
      ),
      { maxKeys: 3, noNullPrototype: true },
    );
    await fc.assert(
      fc.asyncProperty(changes, async (changed) => {
        const result = await authenticator.authenticate(token(key, changed));
        if (!result.ok) {
          expect(result.error.cause).not.toBe('internal');
          return;
        }
        const { tenant, names, scopes } = result.value;
        expect(['acme', 'globex']).toContain(tenant);
        expect(names.filter((name) => !name.includes('#'))).toEqual([`group:tenant/${tenant}`]);
        expect(scopes.every((scope) => scope.startsWith('cci:'))).toBe(true);
      }),
      { numRuns: 3000 },
    );
  });
});

describe('strict JSON', () => {
  const bytes = (text: string): Uint8Array => Buffer.from(text);

  it('reads every object that an honest library writes as the library meant it', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue({ maxDepth: 5 })),
        fc.constantFrom(0, 2),
        (value, indent) => {
          const text = JSON.stringify(value, undefined, indent);
          expect(parseObject(bytes(text))).toEqual({ ok: true, value: JSON.parse(text) });
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('refuses an object with any of its members given again, at any depth', () => {
    const inner = fc.dictionary(fc.string({ unit: 'grapheme', maxLength: 5 }), fc.jsonValue({ maxDepth: 2 }), {
      minKeys: 1,
    });
    fc.assert(
      fc.property(inner, fc.nat(), fc.nat({ max: 5 }), fc.jsonValue({ maxDepth: 1 }), (value, which, depth, again) => {
        const names = Object.keys(value);
        const name = names[which % names.length] ?? '';
        const escaped = `"${Array.from({ length: name.length }, (_, i) => `\\u${name.charCodeAt(i).toString(16).padStart(4, '0')}`).join('')}"`;
        const twice = `${JSON.stringify(value).slice(0, -1)},${escaped}:${JSON.stringify(again)}}`;
        const text = `${'{"in":[1,'.repeat(depth)}${twice}${']}'.repeat(depth)}`;
        expect(parseObject(bytes(text))).toEqual({ ok: false, error: 'a member is given twice' });
      }),
      { numRuns: 2000 },
    );
  });

  it.each(['', '1', '[]', 'null', '{"a":1,}', "{'a':1}", '{"a":1} {"a":1}', '{"a":"\u0001"}'])('refuses %j', (text) => {
    expect(parseObject(bytes(text)).ok).toBe(false);
  });

  it('refuses bytes that are not UTF-8 and overlong forms', () => {
    for (const bad of [[0xff], [0xc0, 0xaf], [0xed, 0xa0, 0x80]]) {
      expect(parseObject(Buffer.concat([bytes('{"a":"'), Buffer.from(bad), bytes('"}')])).ok).toBe(false);
    }
  });

  it('knows an object from what looks like one', () => {
    expect([{}, [], null, 'x', 1].map(isObject)).toEqual([true, false, false, false, false]);
    expect(forge(key, {}, {}).split('.')).toHaveLength(3);
  });
});
