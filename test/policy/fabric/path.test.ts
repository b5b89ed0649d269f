import { describe, expect, test } from 'vitest';
import { parsePath } from '../../../src/policy/fabric/index.ts';

const UUID = '0123abcd-0000-4000-8000-00000000ffff';

describe('a path names', () => {
  test.each([
    ['/switches/sw0', 'switch', undefined],
    ['/switches/sw0/ports/0', 'port', '/switches/sw0'],
    ['/switches/sw0/ports/65535', 'port', '/switches/sw0'],
    ['/switches/sw0/vcss/10', 'vcs', '/switches/sw0'],
    ['/switches/sw0/ports/3/lds/1', 'ld', '/switches/sw0/ports/3'],
    ['/switches/sw0/ports/3/ldpool', 'ldpool', '/switches/sw0/ports/3'],
    ['/switches/sw0/ports/3/heads/0', 'head', '/switches/sw0/ports/3'],
    ['/switches/sw0/ports/3/hosts/12', 'host', '/switches/sw0/ports/3'],
    [`/switches/sw0/ports/3/tags/${UUID}`, 'tag', '/switches/sw0/ports/3'],
    ['/switches/sw0/vcss/1/vppbs/7', 'vppb', '/switches/sw0/vcss/1'],
  ])('%s: one %s', (path, kind, parent) => {
    expect(parsePath(path)).toEqual({ kind, switch: 'sw0', ...(parent === undefined ? {} : { parent }) });
  });

  test.each([
    '',
    '/',
    '/switches',
    '/switches/',
    '/switches/Sw0',
    '/switches/0sw',
    `/switches/s${'w'.repeat(63)}`,
    'x/switches/sw0',
    '/switch/sw0',
    '/switches/sw0/',
    '/switches/sw0/ports',
    '/switches/sw0/ports/',
    '/switches/sw0/ports/x1',
    '/switches/sw0/ports/1x',
    '/switches/sw0/ports/01',
    '/switches/sw0/ports/-1',
    '/switches/sw0/ports/100000',
    '/switches/sw0/lds/1',
    '/switches/sw0/vcss/1/ldpool',
    '/switches/sw0/vcss/1/lds/0',
    '/switches/sw0/ports/1/vppbs/0',
    '/switches/sw0/ports/1/ldpool/0',
    '/switches/sw0/ports/1/ldpool/',
    '/switches/sw0/ports/1/lds',
    '/switches/sw0/ports/1/lds/',
    '/switches/sw0/ports/1/lds/00',
    '/switches/sw0/ports/1/lds/0/',
    '/switches/sw0/ports/1/lds/0/x',
    `/switches/sw0/ports/1/heads/${UUID}`,
    '/switches/sw0/ports/1/tags/1',
    `/switches/sw0/ports/1/tags/${UUID}0`,
    `/switches/sw0/ports/1/tags/0${UUID}`,
    `/switches/sw0/ports/1/tags/${UUID.toUpperCase()}`,
    `/switches/sw0/ports/1/tags/${UUID.replaceAll('-', '')}`,
  ])('nothing: %s', (path) => {
    expect(parsePath(path)).toBeUndefined();
  });
});
