import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../../src/broker/config/index.ts';

const parse = (more: string) =>
  parseConfig(
    `
profile: host
http: { host: 127.0.0.1, port: 0 }
state_directory: state
fabric: fabric.yaml
policy: { directory: policies }
switches: { sw0: { backend: { kind: emulator, topology: t.yaml } } }
${more}
`,
    '/etc/cci/broker.yaml',
  );
const development = "issuers: [{ kind: development, tenants: ['*'] }]";
const production = `production: true
issuers: [{ issuer: 'https://idp.example.org', audience: cci, algorithms: [ES256], jwks_file: keys.json, tenants: [acme] }]
journal: { signing_key: sign.pem }`;
const edgeOf = (more: string) => {
  const parsed = parse(more);
  return parsed.ok ? parsed.config.edge : parsed.problems.map(({ message }) => message).join('\n');
};

describe('the process of the listeners', () => {
  it('is that of the core for development, and one of its own in production', () => {
    expect(edgeOf(development)).toEqual({ process: 'same', user: 'nobody' });
    expect(edgeOf(production)).toEqual({ process: 'separate', user: 'nobody' });
  });

  it('is what the file says', () => {
    const file = `${development}\nedge: { process: separate, user: cci-edge }`;
    expect(edgeOf(file)).toEqual({ process: 'separate', user: 'cci-edge' });
    expect(edgeOf(`${development}\nedge: { user: "812:813" }`)).toMatchObject({ user: '812:813' });
  });

  it('cannot be that of the core in production', () => {
    expect(edgeOf(`${production}\nedge: { process: same }`)).toContain('`same` is not for production');
  });

  it.each(['root', '0:0', '0:5', '../x', 'Capital', ''])('does not become `%s`', (user) => {
    expect(typeof edgeOf(`${development}\nedge: { user: "${user}" }`)).toBe('string');
  });

  it('has no other keys', () => {
    expect(typeof edgeOf(`${development}\nedge: { proces: same }`)).toBe('string');
  });
});
