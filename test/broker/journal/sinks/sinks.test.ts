import { createSocket } from 'node:dgram';
import { PassThrough, Writable } from 'node:stream';
import { expect, onTestFinished, test } from 'vitest';
import {
  type Loss,
  otlpTransport,
  Sink,
  type SinkOptions,
  type SinkTransport,
  streamTransport,
  syslogStream,
  syslogUdp,
} from '../../../../src/broker/journal/sinks/index.ts';
import { turns } from '../../../support/turns.ts';
import { certificate, collected, collector, record, records, streamReceiver } from './fixture.ts';

const header = { facility: 13, hostname: 'host.example', procid: '42' };

/** A sink that retries fast, and is closed with the test. */
function sinkOf(transport: SinkTransport, more: Partial<SinkOptions> = {}) {
  const losses: Loss[] = [];
  const errors: string[] = [];
  let lost = 0;
  const sink = new Sink({
    name: 'here',
    transport,
    bufferBytes: 1 << 20,
    deadlineMs: undefined,
    retryAfterMs: 5,
    closeWithinMs: 50,
    onLost: (count) => {
      lost += count;
    },
    onRecovered: (loss) => losses.push(loss),
    onError: (error) => errors.push(error.message),
    ...more,
  });
  onTestFinished(() => sink.close());
  return { sink, losses, errors, lost: () => lost };
}

const sequencesOf = (messages: readonly string[]): number[] =>
  messages.map((message) => JSON.parse(message.slice(message.indexOf('{'))).seq);
const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

test('stdout gets the lines as they are, in order', async () => {
  const stream = new PassThrough();
  const { sink } = sinkOf(streamTransport(stream));
  sink.take(records(1, 2));
  sink.take([record(3)]);
  await sink.close();
  expect(stream.read().toString()).toBe(
    records(1, 3)
      .map(({ text }) => text)
      .join(''),
  );
});

test('a stdout whose reader has gone away loses records and nothing else', async () => {
  const stream = new Writable({ write: (_, __, done) => done(new Error('EPIPE')) });
  const { sink, errors, lost } = sinkOf(streamTransport(stream));
  sink.take(records(1, 3));
  await expect.poll(() => errors).toEqual(['EPIPE']);
  await sink.close();
  expect(lost()).toBe(3);
});

test('syslog over UDP: one RFC 5424 message a datagram', async () => {
  const server = createSocket('udp4');
  const datagrams: string[] = [];
  server.on('message', (bytes) => datagrams.push(bytes.toString()));
  await new Promise<void>((done) => server.bind(0, '127.0.0.1', done));
  onTestFinished(() => {
    server.close();
  });
  const { sink } = sinkOf(syslogUdp('127.0.0.1', server.address().port, header));
  sink.take(records(1, 20));
  await expect.poll(() => datagrams.length).toBe(20);
  expect(sequencesOf(datagrams)).toEqual(upTo(20));
  expect(datagrams[0]).toBe(
    `<109>1 2026-01-01T00:00:00.001Z host.example cci-broker 42 decision - ${record(1).text.trimEnd()}`,
  );
});

test('a record that no datagram holds is lost to UDP, and counted', async () => {
  const server = createSocket('udp4');
  const datagrams: Buffer[] = [];
  server.on('message', (bytes) => datagrams.push(bytes));
  await new Promise<void>((done) => server.bind(0, '127.0.0.1', done));
  onTestFinished(() => {
    server.close();
  });
  const { sink, losses, lost } = sinkOf(syslogUdp('127.0.0.1', server.address().port, header));
  sink.take([record(1), record(2, 'x'.repeat(70_000)), record(3)]);
  await expect.poll(() => datagrams.length).toBe(2);
  await expect.poll(() => losses).toEqual([{ count: 1, first: 1, last: 3 }]);
  expect(lost()).toBe(1);
});

test.each([false, true])('syslog over TCP (TLS: %s): octet counting, whatever is in a record', async (isTls) => {
  const server = await streamReceiver({ isTls });
  const tls = isTls ? { tls: { ca: certificate } } : {};
  const { sink } = sinkOf(syslogStream({ host: isTls ? 'localhost' : '127.0.0.1', port: server.port, ...tls }, header));
  sink.take([record(1, '7 <13>1 - \u2028❄'), ...records(2, 3000)]);
  await expect.poll(() => server.messages().length).toBe(3000);
  expect(sequencesOf(server.messages())).toEqual(upTo(3000));
  expect(server.messages()[0]).toContain(record(1, '7 <13>1 - \u2028❄').text.trimEnd());
});

test('TLS is refused to a server whose certificate nobody vouches for', async () => {
  const server = await streamReceiver({ isTls: true });
  const { sink, errors } = sinkOf(syslogStream({ host: 'localhost', port: server.port, tls: {} }, header));
  sink.take(records(1, 2));
  await expect.poll(() => errors).toEqual([expect.stringMatching(/self-signed certificate/)]);
  await sink.close();
  expect(server.messages()).toEqual([]);
});

test('TLS is refused to a server that has a certificate for another name', async () => {
  const host = '127.0.0.2';
  const server = await streamReceiver({ isTls: true, host });
  const { sink, errors } = sinkOf(syslogStream({ host, port: server.port, tls: { ca: certificate } }, header));
  sink.take(records(1, 2));
  await expect.poll(() => errors).toEqual([expect.stringMatching(/does not match certificate/)]);
  expect(server.messages()).toEqual([]);
});

test('a connection that is cut is made again, and a server that comes up late gets what waited', async () => {
  // On 127.0.0.1 another test may be given the port before the second one has it.
  const host = '127.0.0.9';
  const first = await streamReceiver({ host });
  const { sink, losses } = sinkOf(syslogStream({ host, port: first.port }, header));
  sink.take(records(1, 5));
  await expect.poll(() => first.messages().length).toBe(5);
  await first.close();
  await turns(20);
  sink.take(records(6, 10));
  await expect.poll(() => sink.isUp).toBe(false);
  const second = await streamReceiver({ host, port: first.port });
  await expect.poll(() => second.messages().length).toBe(5);
  expect(sequencesOf(second.messages())).toEqual([6, 7, 8, 9, 10]);
  expect(sink.isUp).toBe(true);
  expect(losses).toEqual([]);
});

test('OTLP: batches of log records with the line as their body', async () => {
  const server = await collector(() => ({ status: 200 }));
  const { sink } = sinkOf(otlpTransport({ url: server.url, authorization: 'Bearer secret' }));
  sink.take(records(1, 1500));
  await expect.poll(() => collected(server.bodies).length).toBe(1500);
  expect(collected(server.bodies)).toEqual(upTo(1500));
  expect(server.bodies.length).toBeLessThan(10);
  expect(server.headers[0]).toMatchObject({
    method: 'POST',
    path: '/v1/logs',
    'content-type': 'application/json',
    authorization: 'Bearer secret',
  });
  const [first] = JSON.parse(server.bodies[0] ?? '').resourceLogs[0].scopeLogs[0].logRecords;
  expect(first).toEqual({
    timeUnixNano: '1767225600001000000',
    observedTimeUnixNano: '1767225600001000000',
    severityNumber: 10,
    severityText: 'INFO2',
    body: { stringValue: record(1).text.trimEnd() },
    attributes: [
      { key: 'cci.journal.kind', value: { stringValue: 'decision' } },
      { key: 'cci.journal.sequence', value: { intValue: '1' } },
    ],
  });
});

test('a collector that is away for a while gets everything in the end, in order', async () => {
  const server = await collector((_, attempt) => ({ status: attempt < 4 ? 503 : 200 }));
  const { sink, errors } = sinkOf(otlpTransport({ url: server.url }));
  sink.take(records(1, 10));
  await expect.poll(() => server.bodies.length).toBe(4);
  expect(collected(server.bodies.slice(3))).toEqual(upTo(10));
  expect(errors).toEqual(['the collector answered 503']);
});

test('what a collector refuses for good is counted and not sent again', async () => {
  const server = await collector((_, attempt) =>
    attempt === 1
      ? { status: 200, body: '{"partialSuccess":{"rejectedLogRecords":"2","errorMessage":"x"}}' }
      : { status: attempt === 2 ? 400 : 200, body: 'no JSON' },
  );
  const { sink, lost, losses } = sinkOf(otlpTransport({ url: server.url }));
  sink.take(records(1, 5));
  await expect.poll(() => losses.length).toBe(1);
  sink.take(records(6, 7));
  await expect.poll(() => losses.length).toBe(2);
  sink.take(records(8, 9));
  await expect.poll(() => server.bodies.length).toBe(3);
  expect(lost()).toBe(4);
  expect(losses).toEqual([
    { count: 2, first: 1, last: 5 },
    { count: 2, first: 6, last: 7 },
  ]);
});

test('an answer without end is not read to its end', async () => {
  const server = await collector(() => ({ status: 200, body: 'x'.repeat(10 << 20) }));
  const { sink, lost } = sinkOf(otlpTransport({ url: server.url }));
  sink.take(records(1, 2));
  await expect.poll(() => sink.waitingBytes).toBe(0);
  expect(lost()).toBe(0);
});

test.each(['otlp', 'tcp'])(
  'a server that hangs (%s) makes nobody wait; what does not fit is lost, counted and told when it works again',
  async (kind) => {
    let isHanging = true;
    const web = await collector(() => (isHanging ? 'hang' : { status: 200 }));
    const deaf = await streamReceiver({ isDeaf: true });
    const transport =
      kind === 'otlp' ? otlpTransport({ url: web.url }) : syslogStream({ host: '127.0.0.1', port: deaf.port }, header);
    const { sink, losses, lost, errors } = sinkOf(transport, { timeoutMs: 300, bufferBytes: 60_000 });
    const before = performance.now();
    // Far more than the sockets of a loopback connection hold.
    const many = 40_000;
    for (let i = 1; i <= many; i++) sink.take([record(i, 'x'.repeat(200))]);
    // Not a timing: it would be minutes if anything had waited.
    expect(performance.now() - before).toBeLessThan(20_000);
    expect(sink.waitingBytes).toBeLessThanOrEqual(60_000);
    expect(lost()).toBeGreaterThan(many / 2);
    if (kind === 'tcp') return;
    await expect.poll(() => errors.length).toBe(1);
    expect(sink.isUp).toBe(false);
    isHanging = false;
    await expect.poll(() => losses.length, { timeout: 10_000 }).toBe(1);
    expect(sink.isUp).toBe(true);
    expect(losses[0]).toMatchObject({ count: lost(), last: many });
    const got = new Set(collected(web.bodies));
    expect(got.size + lost()).toBe(many);
  },
);

test('the buffer counts again after it was told: the next loss is a new one', async () => {
  let isUp = false;
  const transport: SinkTransport = {
    send: async () => {
      if (!isUp) throw new Error('down');
      return 0;
    },
    reset: () => undefined,
  };
  const { sink, losses } = sinkOf(transport, { bufferBytes: 500 });
  for (let round = 0; round < 2; round++) {
    isUp = false;
    sink.take(records(10 * round + 1, 10 * round + 10));
    isUp = true;
    await expect.poll(() => losses.length).toBe(round + 1);
  }
  expect(losses.map(({ first, last }) => [first, last])).toEqual([
    [expect.any(Number), 10],
    [expect.any(Number), 20],
  ]);
  expect(losses[1]?.first).toBeGreaterThan(10);
});

test('closing waits a little for what is still to be delivered, and no longer', async () => {
  const slow: number[] = [];
  const transport: SinkTransport = {
    send: (batch) =>
      new Promise((done) =>
        setTimeout(() => {
          slow.push(...batch.map(({ sequence }) => sequence));
          done(0);
        }, 20),
      ),
    reset: () => undefined,
  };
  const patient = sinkOf(transport, { closeWithinMs: 5000 });
  patient.sink.take(records(1, 3));
  await patient.sink.close();
  expect(slow).toEqual([1, 2, 3]);
  const never: SinkTransport = { send: () => new Promise(() => undefined), reset: () => undefined };
  const hasty = sinkOf(never, { closeWithinMs: 10 });
  hasty.sink.take(records(1, 3));
  await hasty.sink.close();
  expect(hasty.lost()).toBe(3);
});
