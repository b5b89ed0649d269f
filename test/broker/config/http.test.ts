import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../../src/broker/config/index.ts';

const config = (http: string): string => `
profile: host
http: { port: 0, ${http} }
state_directory: state
fabric: fabric.yaml
policy: { directory: policies }
issuers: [{ kind: development, tenants: ['*'] }]
switches: { sw0: { backend: { kind: emulator, topology: t.yaml } } }
`;
const parse = (http: string) => parseConfig(config(http), '/etc/cci/broker.yaml');
const pair = 'certificate: c.pem, key: k.pem';

describe('the HTTP listener', () => {
  it.each([
    ['host: 127.0.0.1', undefined],
    ['host: 0.0.0.0', 'tokens would travel there in plain text'],
    ['host: 192.0.2.1', 'name a certificate and a key under `http.tls`'],
    ['host: broker.example', 'tokens would travel'],
    [`host: 0.0.0.0, tls: { ${pair} }`, undefined],
    [`host: '::', tls: { ${pair}, client_certificates: request }`, undefined],
    [`host: '::', tls: { ${pair}, client_certificates: require, client_ca: ca.pem }`, undefined],
    [`host: 127.0.0.1, tls: { ${pair}, client_ca: ca.pem }`, 'means nothing while `client_certificates` is `none`'],
    [`host: 127.0.0.1, tls: { ${pair}, client_certificates: maybe }`, 'client_certificates'],
    [`host: 127.0.0.1, tls: { ${pair}, min_version: TLSv1.2 }`, 'min_version'],
    ['host: 127.0.0.1, tls: { certificate: c.pem }', 'key'],
    ['host: 127.0.0.1, public_url: https://broker.example:8443/cci', undefined],
    [`host: 0.0.0.0, tls: { ${pair} }, public_url: http://broker.example`, 'spell it `https://`'],
    ['host: 127.0.0.1, public_url: broker.example', 'public_url'],
    ['host: 127.0.0.1, public_url: https://user:pass@broker.example', 'public_url'],
    ['host: 127.0.0.1, public_url: https://a:99999', 'no URL'],
    ['host: 127.0.0.1, health: { host: 0.0.0.0, port: 8421 }', undefined],
    ['host: 127.0.0.1, health: { host: 0.0.0.0, port: 8421, tls: true }', 'tls'],
  ])('%s', (http, expected) => {
    const parsed = parse(http);
    const found = parsed.ok ? '' : parsed.problems.map(({ message }) => message).join('\n');
    if (expected === undefined) expect(found).toBe('');
    else expect(found).toContain(expected);
  });

  it('has absolute paths, and asks no client for a certificate unless it is told to', () => {
    const parsed = parse(`host: 0.0.0.0, tls: { ${pair} }`);
    expect(parsed.ok && parsed.config.http).toEqual({
      host: '0.0.0.0',
      port: 0,
      tls: { certificate: '/etc/cci/c.pem', key: '/etc/cci/k.pem', clientCertificates: 'none' },
    });
  });
});
