import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseConfig } from '../../../src/broker/config/index.ts';

const shipped = readFileSync(new URL('../../../config/broker.yaml', import.meta.url), 'utf8');

function journalOf(journal: string) {
  const result = parseConfig(`${shipped}\n${journal}`, '/etc/cci/broker.yaml');
  return result.ok ? result.config.journal : result.problems.map(({ message }) => message).join('\n');
}

test('what is not said about the journal has a default', () => {
  expect(journalOf('')).toEqual({
    segmentBytes: 64 << 20,
    segmentAgeMs: 86_400_000,
    durability: 'by-effect',
    payloads: 'none',
    signingKey: undefined,
    witnesses: [],
    sinks: [],
  });
});

test('everything that can be said is taken, with absolute paths', () => {
  const text = `journal:
  segment_bytes: 1048576
  segment_age: 90m
  durability: strict
  payloads: masked
  signing_key: key.pem
  witness:
    - file: /mnt/witness
    - file: near
  sinks:
    - kind: stdout
    - kind: syslog
      transport: tls
      host: log.example
      port: 6514
      ca_file: ca.pem
      facility: 10
      enforced: { deadline_ms: 500 }
      buffer_bytes: 1048576
    - kind: syslog
      name: near
      transport: udp
      host: ::1
      port: 514
    - kind: otlp
      url: https://otel.example:4318/v1/logs
      authorization_file: secret
`;
  expect(journalOf(text)).toEqual({
    segmentBytes: 1 << 20,
    segmentAgeMs: 90 * 60_000,
    durability: 'strict',
    payloads: 'masked',
    signingKey: '/etc/cci/key.pem',
    witnesses: ['/mnt/witness', '/etc/cci/near'],
    sinks: [
      { kind: 'stdout', name: 'stdout' },
      {
        kind: 'syslog',
        name: 'syslog-tls',
        transport: 'tls',
        host: 'log.example',
        port: 6514,
        ca_file: '/etc/cci/ca.pem',
        facility: 10,
        enforced: { deadline_ms: 500 },
        buffer_bytes: 1 << 20,
      },
      { kind: 'syslog', name: 'near', transport: 'udp', host: '::1', port: 514 },
      {
        kind: 'otlp',
        name: 'otlp',
        url: 'https://otel.example:4318/v1/logs',
        authorization_file: '/etc/cci/secret',
      },
    ],
  });
});

const udp = '    - kind: syslog\n      transport: udp\n      host: a\n      port: 514\n';

test.each([
  ['an unknown key', 'journal:\n  rotate: daily\n', 'rotate'],
  ['a segment that is too small', 'journal:\n  segment_bytes: 1000\n', 'segment_bytes'],
  ['an age without a unit', 'journal:\n  segment_age: 90\n', 'segment_age'],
  ['another durability', 'journal:\n  durability: never\n', 'durability'],
  ['another sink', 'journal:\n  sinks:\n    - kind: kafka\n', 'kind'],
  ['an unknown key of a sink', 'journal:\n  sinks:\n    - kind: stdout\n      colour: red\n', 'colour'],
  ['a URL of another kind', 'journal:\n  sinks:\n    - kind: otlp\n      url: ftp://x/\n', 'url'],
  ['two sinks of one name', `journal:\n  sinks:\n${udp}${udp}`, 'give each a `name`'],
  ['enforced UDP', `journal:\n  sinks:\n${udp}      enforced: { deadline_ms: 5 }\n`, 'enforce TCP or TLS'],
  ['an authority without TLS', `journal:\n  sinks:\n${udp}      ca_file: ca.pem\n`, 'means nothing without TLS'],
])('%s is refused', (_, text, message) => {
  expect(journalOf(text)).toContain(message);
});
