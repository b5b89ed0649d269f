import { describe, expect, test } from 'vitest';
import { Callers, canMeet, issuerOf, type NameClass } from '../../../src/policy/meaning/callers.ts';
import { madeUpCaller } from '../../../src/policy/meaning/made-up-caller.ts';
import { tokenScopes } from '../../../src/policy/types.ts';

const A = 'https://a.example';
const B = 'https://b.example';
const link = (name: string, role: string, tenant = 'acme') => ({ name, role, tenant });

describe('names of a tenant', () => {
  const before = [
    link(`user:${A}#x`, 'role:one'),
    link(`user:${A}#y`, 'role:one'),
    link(`group:${A}#g`, 'role:one'),
    link(`group:${B}#g`, 'role:one'),
    link('role:one', 'role:two'),
    link('group:tenant/acme', 'role:all'),
    link(`user:${A}#x`, 'role:one', 'globex'),
  ];
  const after = [...before, link(`user:${A}#y`, 'role:three'), link(`user:${B}#z`, 'role:one')];

  test('fall into classes of the same kind, issuer and roles, his own group first', async () => {
    const callers = await Callers.of([before]);
    expect(callers.classes('acme')).toEqual([
      { kind: 'tenant', issuer: '', names: ['group:tenant/acme'], roles: [new Set(['role:all'])] },
      { kind: 'user', issuer: A, names: [`user:${A}#x`, `user:${A}#y`], roles: [new Set(['role:one', 'role:two'])] },
      { kind: 'group', issuer: A, names: [`group:${A}#g`], roles: [new Set(['role:one', 'role:two'])] },
      { kind: 'group', issuer: B, names: [`group:${B}#g`], roles: [new Set(['role:one', 'role:two'])] },
    ]);
    expect(callers.names('acme')).toEqual([
      `user:${A}#x`,
      `user:${A}#y`,
      `group:${A}#g`,
      `group:${B}#g`,
      'group:tenant/acme',
    ]);
    expect(callers.names('initech')).toEqual([]);
    expect(callers.classes('initech')).toEqual([
      { kind: 'tenant', issuer: '', names: ['group:tenant/initech'], roles: [new Set()] },
    ]);
  });

  test('are told apart by what any policy says of them', async () => {
    const callers = await Callers.of([before, after]);
    expect(callers.classes('acme').map(({ names }) => names)).toEqual([
      ['group:tenant/acme'],
      [`user:${A}#x`],
      [`user:${A}#y`],
      [`group:${A}#g`],
      [`group:${B}#g`],
      [`user:${B}#z`],
    ]);
    expect(callers.rolesOf(0, 'acme', [`user:${A}#y`])).toEqual(new Set(['role:one', 'role:two']));
    expect(callers.rolesOf(1, 'acme', [`user:${A}#y`])).toEqual(new Set(['role:one', 'role:two', 'role:three']));
  });

  test('have the same roles under all policies, or not', async () => {
    expect((await Callers.of([before, before])).areSame('acme')).toBe(true);
    expect((await Callers.of([before, after])).areSame('acme')).toBe(false);
    expect((await Callers.of([before, after])).areSame('globex')).toBe(true);
    const other = [...before, link('role:two', 'role:deep')];
    expect((await Callers.of([before, other])).areSame('acme')).toBe(false);
    expect((await Callers.of([before, other])).areSame('globex')).toBe(true);
  });
});

describe('two names in one token', () => {
  const of = (kind: NameClass['kind'], issuer: string): NameClass => ({ kind, issuer, names: [], roles: [] });
  test.each([
    ['two groups of an issuer', of('group', A), of('group', A), true],
    ['a user and a group of an issuer', of('user', A), of('group', A), true],
    ['a group and a user of an issuer', of('group', A), of('user', A), true],
    ['two users', of('user', A), of('user', A), false],
    ['groups of two issuers', of('group', A), of('group', B), false],
    ['a user of one and a group of another', of('user', A), of('group', B), false],
  ])('%s: %#', (_name, a, b, expected) => {
    expect(canMeet(a, b)).toBe(expected);
  });

  test('are of the issuer that is written in them', () => {
    expect(issuerOf(`user:${A}#x`)).toBe(A);
    expect(issuerOf('group:b#y')).toBe('b');
  });
});

describe('a caller that is made up', () => {
  const made = (names: readonly string[], taken: readonly string[] = []) => {
    const { name, names: all, issuer, subject } = madeUpCaller('acme', names, (one) => taken.includes(one));
    return { name, all, issuer, subject };
  };

  test('for nobody in particular is a stranger of any issuer', () => {
    expect(made([])).toEqual({
      name: 'user:any#somebody-1',
      all: ['user:any#somebody-1', 'group:tenant/acme'],
      issuer: 'any',
      subject: 'somebody-1',
    });
    expect(made(['group:tenant/acme'])).toEqual(made([]));
  });

  test('is nobody whom a row names', () => {
    expect(made([], ['user:any#somebody-1', 'user:any#somebody-2']).name).toBe('user:any#somebody-3');
    expect(made([`group:${A}#g`], [`user:${A}#somebody-1`]).name).toBe(`user:${A}#somebody-2`);
  });

  test('for groups is a stranger of their issuer', () => {
    expect(made(['group:tenant/acme', `group:${A}#g`, `group:${A}#h`])).toEqual({
      name: `user:${A}#somebody-1`,
      all: [`user:${A}#somebody-1`, `group:${A}#g`, `group:${A}#h`, 'group:tenant/acme'],
      issuer: A,
      subject: 'somebody-1',
    });
  });

  test('for a user is he, once', () => {
    expect(made([`group:${A}#g`, `user:${A}#x`], [`user:${A}#x`])).toEqual({
      name: `user:${A}#x`,
      all: [`user:${A}#x`, `group:${A}#g`, 'group:tenant/acme'],
      issuer: A,
      subject: 'x',
    });
  });

  test('may do all that a token can say, for ever', () => {
    expect(madeUpCaller('acme', [], () => false)).toMatchObject({
      tenant: 'acme',
      scopes: tokenScopes,
      tokenId: 'made-up',
      expiresAtMs: Number.MAX_SAFE_INTEGER,
    });
  });
});
