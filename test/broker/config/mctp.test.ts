import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../../src/broker/config/index.ts';

const config = (backend: string, listeners = '[]'): string => `
profile: host
http: { host: 127.0.0.1, port: 0 }
state_directory: state
fabric: fabric.yaml
policy: { directory: policies }
issuers: [{ kind: development, tenants: ['*'] }]
listeners: ${listeners}
switches: { sw0: { backend: ${backend} } }
`;
const upstream = (more: string): string => `{ kind: mctp-tcp, host: 127.0.0.1, dialect: spec${more} }`;
const listener = (more: string): string =>
  `[{ kind: mctp-tcp, host: 127.0.0.1, dialect: spec, switch: sw0, tenant: acme, token_file: t${more} }]`;

function problems(text: string): readonly string[] {
  const parsed = parseConfig(text, '/etc/cci/broker.yaml');
  return parsed.ok ? [] : parsed.problems.map(({ message }) => message);
}

describe('a switch over MCTP/TCP', () => {
  it.each([
    ['', []],
    [
      ', port: 4000, cel: read, max_in_flight: 1, max_payload: 1024, connect_ms: 100, drain_ms: 0, quirks: [last-byte-lost]',
      [],
    ],
    [', max_in_flight: 9', ['max_in_flight']],
    [', quirks: [tea]', ['quirks']],
    [', tls: true', ['tls']],
    [', cel: none', ['nothing is known to assume']],
  ])('%s', (more, expected) => {
    const found = problems(config(upstream(more)));
    expect(found.length > 0).toBe(expected.length > 0);
    for (const text of expected) expect(found.join('\n')).toContain(text);
  });

  it('of the old dialect has no log to read', () => {
    const old = (cel: string): string => config(`{ kind: mctp-tcp, host: 127.0.0.1, dialect: jackrabbit${cel} }`);
    expect(problems(old(''))).toEqual([]);
    expect(problems(old(', cel: none'))).toEqual([]);
    expect(problems(old(', cel: read')).join()).toContain('no log to read');
  });

  it('on another machine has to be acknowledged', () => {
    const other = (more: string): string =>
      config(`{ kind: mctp-tcp, host: switch.example.org, dialect: spec${more} }`);
    expect(problems(other('')).join()).toContain('insecure_network: true');
    expect(problems(other(', insecure_network: true'))).toEqual([]);
    expect(problems(other(', insecure_network: false')).length).toBeGreaterThan(0);
  });
});

describe('listeners', () => {
  const emulator = '{ kind: emulator, topology: t.yaml }';

  it('are off unless named, and have absolute paths', () => {
    const none = parseConfig(config(emulator), '/etc/cci/broker.yaml');
    expect(none.ok && none.config.listeners).toEqual([]);
    const one = parseConfig(config(emulator, listener('')), '/etc/cci/broker.yaml');
    expect(one.ok && one.config.listeners[0]?.bindings).toEqual([{ tenant: 'acme', tokenFile: '/etc/cci/t' }]);
  });

  it.each([
    [', principal: user:https://idp#me, connections: 3, idle_ms: 1000, assembly_ms: 100, answer_ms: 100', undefined],
    [', principal: me', 'principal'],
    [', token: abc', 'token'],
    [', switch: sw9', 'stand'],
    [', host: 0.0.0.0', 'stand'],
  ])('%s', (more, expected) => {
    const found = problems(config(emulator, listener(more)));
    if (expected === undefined) expect(found).toEqual([]);
    else expect(found.length).toBeGreaterThan(0);
  });

  it('belong to a switch, have a place of their own, and are not for strangers', () => {
    const two = (host: string, name: string): string =>
      `[{ kind: mctp-tcp, host: 127.0.0.1, dialect: spec, switch: sw0, tenant: acme, token_file: t },
        { kind: mctp-tcp, host: ${host}, dialect: spec, switch: ${name}, tenant: acme, token_file: t }]`;
    expect(problems(config(emulator, two('127.0.0.1', 'sw0'))).join()).toContain('stands twice');
    expect(problems(config(emulator, two('127.0.0.2', 'sw9'))).join()).toContain('no switch `sw9`');
    expect(problems(config(emulator, two('0.0.0.0', 'sw0'))).join()).toContain('acts under the token');
  });

  const tls = 'tls: { certificate: c.pem, key: k.pem';
  const print = 'A'.repeat(43);
  it.each([
    ['an authority', `host: 0.0.0.0, tenant: acme, token_file: t, ${tls}, client_ca: ca.pem }`, undefined],
    [
      'certificates by name',
      `host: 0.0.0.0, ${tls} }, clients: [{ certificate: ${print}, tenant: acme, token_file: t }]`,
      undefined,
    ],
    ['nobody whose certificate counts', `host: 0.0.0.0, tenant: acme, token_file: t, ${tls} }`, 'whose certificates'],
    ['nobody to act as', `host: 127.0.0.1, ${tls}, client_ca: ca.pem }`, 'as whom do its clients act'],
    [
      'clients without TLS',
      `host: 127.0.0.1, clients: [{ certificate: ${print}, tenant: acme, token_file: t }]`,
      'needs `tls`',
    ],
    [
      'clients and somebody for all',
      `host: 0.0.0.0, tenant: acme, ${tls} }, clients: [{ certificate: ${print}, tenant: acme, token_file: t }]`,
      'then stand there',
    ],
    [
      'one certificate twice',
      `host: 0.0.0.0, ${tls} }, clients: [{ certificate: '${'00'.repeat(32)}', tenant: a, token_file: t }, { certificate: ${print}, tenant: b, token_file: t }]`,
      'stands twice in `clients`',
    ],
    [
      'a certificate that is none',
      `host: 0.0.0.0, ${tls} }, clients: [{ certificate: abc, tenant: a, token_file: t }]`,
      'certificate',
    ],
    ['insecure_network', 'host: 0.0.0.0, tenant: acme, token_file: t, insecure_network: true', 'insecure_network'],
  ])('with %s', (_what, more, expected) => {
    const found = problems(config(emulator, `[{ kind: mctp-tcp, dialect: spec, switch: sw0, ${more} }]`)).join('\n');
    if (expected === undefined) expect(found).toBe('');
    else expect(found).toContain(expected);
  });

  it('know a certificate by any spelling of its SHA-256', () => {
    const bytes = Buffer.from(Array.from({ length: 32 }, (_, i) => i));
    const hex = bytes.toString('hex').toUpperCase();
    for (const text of [bytes.toString('base64url'), hex, `'${hex.match(/../g)?.join(':')}'`]) {
      const one = `[{ kind: mctp-tcp, dialect: spec, switch: sw0, host: 0.0.0.0, ${tls} },
        clients: [{ certificate: ${text}, tenant: acme, token_file: t }] }]`;
      const parsed = parseConfig(config(emulator, one), '/etc/cci/broker.yaml');
      expect(parsed.ok && parsed.config.listeners[0]?.bindings[0]?.certificate).toBe(bytes.toString('base64url'));
      expect(parsed.ok && parsed.config.listeners[0]?.tls).toEqual({
        certificate: '/etc/cci/c.pem',
        key: '/etc/cci/k.pem',
      });
    }
  });
});
