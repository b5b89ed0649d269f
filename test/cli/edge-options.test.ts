import { describe, expect, test } from 'vitest';
import { optionsForProcess, portsOf, tokenFiles } from '../../src/cli/edge-options.ts';
import { type EdgeOptions, isEdgeSaid } from '../../src/edge/index.ts';

const options: EdgeOptions = {
  ...{ version: '1', logLevel: 'info' },
  http: { host: 'localhost', port: 0, health: { host: '127.0.0.1', port: 8421 } },
  listeners: [
    {
      ...({ host: '127.0.0.1', port: 2508, dialect: 'spec', switch: 'sw0' } as const),
      bindings: [
        { tenant: 'acme', tokenFile: '/etc/secret/acme.token' },
        { tenant: 'globex', tokenFile: '/etc/secret/globex.token' },
      ],
    },
  ],
};

describe('what a confined edge is told', () => {
  test('no path of a file and no name that would have to be looked up', async () => {
    const told = await optionsForProcess(options, undefined);
    expect(JSON.stringify(told)).not.toMatch(/secret|localhost/);
    expect(told.http.host).toMatch(/^(127\.0\.0\.1|::1)$/);
    const names = told.listeners[0]?.bindings.map(({ tokenFile }) => tokenFile) ?? [];
    expect(names.map((name) => tokenFiles(options).get(name))).toEqual([
      '/etc/secret/acme.token',
      '/etc/secret/globex.token',
    ]);
    expect(tokenFiles(options).get('/etc/secret/acme.token')).toBeUndefined();
  });

  test('the addresses of the edge before it, so that clients find it again', async () => {
    const told = await optionsForProcess(options, {
      http: {
        host: '127.0.0.1',
        port: 40_001,
        url: 'http://127.0.0.1:40001',
        health: { host: '127.0.0.1', port: 40_002 },
      },
      listeners: [{ host: '127.0.0.1', port: 40_003 }],
    });
    expect(portsOf(told)).toEqual([40_001, 40_002, 40_003]);
  });
});

test('what an edge says that is not what it should be is not believed', () => {
  const confinement = { absent: [] };
  const addresses = { http: { host: '127.0.0.1', port: 1, url: 'http://127.0.0.1:1' }, listeners: [] };
  expect(isEdgeSaid({ ok: true, addresses, confinement })).toBe(true);
  expect(isEdgeSaid({ ok: false, why: 'x' })).toBe(true);
  const wrong: readonly unknown[] = [
    ...[null, 1, 'x', [], {}, { ok: 'yes' }, { ok: false }, { ok: true }],
    { ok: true, addresses },
    { ok: true, addresses: {}, confinement },
    { ok: true, addresses: { ...addresses, http: { ...addresses.http, port: 'x' } }, confinement },
    { ok: true, addresses: { ...addresses, http: { ...addresses.http, url: 'x'.repeat(300) } }, confinement },
    { ok: true, addresses: { ...addresses, http: { ...addresses.http, health: 1 } }, confinement },
    { ok: true, addresses: { ...addresses, listeners: [1] }, confinement },
    { ok: true, addresses, confinement: { absent: [1] } },
    { ok: true, addresses, confinement: { absent: Array.from({ length: 50 }, () => 'x') } },
  ];
  for (const one of wrong) expect(isEdgeSaid(one), JSON.stringify(one)).toBe(false);
});
