import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  canonicalCallerName,
  groupName,
  isCallerName,
  isRoleName,
  isTenantName,
  tenantGroup,
  userName,
} from '../../src/policy/names.ts';

/** Claims that try to look like something else, and any string at all, half surrogate pairs included. */
const claim = fc.oneof(
  fc.constantFrom(
    'role:operator',
    'operator',
    'group:tenant/globex',
    'tenant/globex',
    '*',
    '#',
    'a#b',
    '%23',
    '%',
    '%uD800',
    'a,b',
    ' a',
    '',
  ),
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc
    .array(fc.constantFrom('#', '%', '2', '3', ':', '/', 'u', 'D', '8', '0', '\ud800', '\udc00', 'é', '|', ','), {
      maxLength: 8,
    })
    .map((parts) => parts.join('')),
);
const pair = fc.tuple(claim, claim);

describe('names of callers', () => {
  test('two different pairs of issuer and subject are never one principal', () => {
    fc.assert(
      fc.property(pair, pair, ([issuerA, subA], [issuerB, subB]) => {
        const isSame = issuerA === issuerB && subA === subB;
        expect(userName(issuerA, subA) === userName(issuerB, subB)).toBe(isSame);
        expect(groupName(issuerA, subA) === groupName(issuerB, subB)).toBe(isSame);
        expect(tenantGroup(subA) === tenantGroup(subB)).toBe(subA === subB);
      }),
      { numRuns: 2000 },
    );
  });

  test('no claim makes a user a group, a group a tenant, or anything a role', () => {
    fc.assert(
      fc.property(claim, claim, claim, (issuer, value, tenant) => {
        const user = userName(issuer, value);
        const group = groupName(issuer, value);
        const ofTenant = tenantGroup(tenant);
        expect(user.startsWith('user:')).toBe(true);
        expect(group.startsWith('group:')).toBe(true);
        expect(new Set([user, group, ofTenant]).size).toBe(3);
        expect(user.split('#')).toHaveLength(2);
        expect(group.split('#')).toHaveLength(2);
        expect(ofTenant.includes('#')).toBe(false);
        for (const name of [user, group, ofTenant]) {
          expect(isRoleName(name)).toBe(false);
          // casbin joins arguments with commas; fields of a file end at commas, quotes and line ends.
          expect(name).toMatch(/^[A-Za-z0-9._~/:@+=|%#-]+$/);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test('a name made from claims is one that a policy file can hold', () => {
    fc.assert(
      fc.property(claim, claim, (issuer, value) => {
        const isComplete = issuer !== '' && value !== '';
        expect(isCallerName(userName(issuer, value))).toBe(isComplete);
        expect(isCallerName(groupName(issuer, value))).toBe(isComplete);
      }),
      { numRuns: 2000 },
    );
  });

  test('a hand-written name is led to the one spelling that matches', () => {
    fc.assert(
      fc.property(claim, claim, (issuer, value) => {
        fc.pre(issuer !== '' && value !== '' && !/[#%]/.test(issuer + value));
        expect(canonicalCallerName(`user:${issuer}#${value}`)).toBe(userName(issuer, value));
      }),
      { numRuns: 2000 },
    );
  });

  test.each([
    ['user:https://idp#alice', 'user:https://idp#alice'],
    ['user:https://idp#Jürgen', 'user:https://idp#J%C3%BCrgen'],
    ['user:https://idp#%41', 'user:https://idp#A'],
    ['user:https://idp#a%2cb', 'user:https://idp#a%252cb'],
    ['user:https://idp#%FF', 'user:https://idp#%25FF'],
    ['user:https://idp#%uD800', 'user:https://idp#%uD800'],
    ['user:https://idp#%uD83D%uDE00', 'user:https://idp#%F0%9F%98%80'],
    ['group:tenant/acme', 'group:tenant/acme'],
    ['group:tenant/Acme', undefined],
    ['group:acme', undefined],
    ['user:tenant/acme', undefined],
    ['user:a#b#c', undefined],
    ['user:#', undefined],
    ['role:reader', undefined],
    ['alice', undefined],
  ])('%s is written %s', (text, canonical) => {
    expect(canonicalCallerName(text)).toBe(canonical);
    expect(isCallerName(text)).toBe(text === canonical);
  });

  test('roles and tenants are plain lower-case words', () => {
    expect(['role:reader', 'role:a.b_c-1'].every(isRoleName)).toBe(true);
    expect(['role:', 'role:Reader', 'reader', 'role:a b', `role:${'a'.repeat(64)}`].some(isRoleName)).toBe(false);
    expect(['acme', 'a-1'].every(isTenantName)).toBe(true);
    expect(['', 'Acme', '1a', 'a/b', 'a'.repeat(64)].some(isTenantName)).toBe(false);
  });
});
