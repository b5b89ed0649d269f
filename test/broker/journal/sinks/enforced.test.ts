import { expect, onTestFinished, test } from 'vitest';
import type { Journal } from '../../../../src/broker/journal/index.ts';
import { otlpTransport, Sink, SinkJournal, type SinkTransport } from '../../../../src/broker/journal/sinks/index.ts';
import { checkAll, intent, openInMemory, signer } from '../fixture.ts';
import { collected, collector } from './fixture.ts';

/** A journal with one enforced sink, and one that is best effort and never works. */
async function enforced(transport: SinkTransport, deadlineMs = 800, bufferBytes = 20_000) {
  let inner: Journal | undefined;
  const sink = new Sink({
    name: 'vault',
    transport,
    bufferBytes,
    deadlineMs,
    retryAfterMs: 5,
    timeoutMs: 400,
    closeWithinMs: 10,
    onRecovered: ({ count, first, last }) => {
      inner?.append('sink', { sink: 'vault', lost: count, first, last }, { durable: false }).catch(() => undefined);
    },
  });
  const idle = new Sink({
    name: 'idle',
    transport: { send: () => new Promise(() => undefined), reset: () => undefined },
    bufferBytes: 1000,
    deadlineMs: undefined,
    closeWithinMs: 10,
  });
  const { journal: open, fileSystem } = await openInMemory(undefined, { signer, listeners: [sink, idle] });
  inner = open;
  const journal = new SinkJournal(open, [sink, idle]);
  onTestFinished(() => journal.close().catch(() => undefined));
  return { journal, fileSystem, sink };
}

const append = (journal: Journal, id: string) => journal.append('intent', intent(id), { durable: true });

test('an intent is good when the sink has it, and no earlier', async () => {
  const server = await collector(() => ({ status: 200 }));
  const { journal } = await enforced(otlpTransport({ url: server.url }), 5000);
  for (let i = 1; i <= 5; i++) {
    const { sequence } = await append(journal, `r-${i}`);
    expect(collected(server.bodies)).toContain(sequence);
  }
  await Promise.all(Array.from({ length: 50 }, (_, i) => append(journal, `many-${i}`)));
  // Everything else waits for the file only.
  await journal.append('decision', intent('read'), { durable: true });
  expect(journal.health().state).toBe('open');
});

test('an intent that the sink does not take in time is refused, and the journal says that nothing was sent', async () => {
  let isUp = false;
  const server = await collector(() => (isUp ? { status: 200 } : 'hang'));
  const { journal, fileSystem, sink } = await enforced(otlpTransport({ url: server.url }));
  await expect(append(journal, 'late')).rejects.toMatchObject({
    code: 'undelivered',
    message: 'sink `vault` did not take the intent: it took longer than 800 ms',
  });
  expect(journal.openIntents()).toEqual([]);
  // Until it has caught up, the next ones are refused at once and leave no records.
  const records = checkAll(fileSystem).length;
  for (let i = 0; i < 10; i++) {
    await expect(append(journal, `next-${i}`)).rejects.toMatchObject({ code: 'undelivered' });
  }
  expect(checkAll(fileSystem)).toHaveLength(records);
  expect(sink.isUp).toBe(false);
  isUp = true;
  await expect.poll(() => sink.isUp).toBe(true);
  await append(journal, 'again');
  const told = checkAll(fileSystem).filter(({ kind }) => kind !== 'checkpoint');
  expect(told).toMatchObject([
    { kind: 'intent', requestId: 'late' },
    {
      kind: 'outcome',
      requestId: 'late',
      intent: 1,
      outcome: 'not-sent',
      tenant: 'acme',
      reason: 'sink `vault` did not take the intent: it took longer than 800 ms, so nothing was sent',
    },
    { kind: 'intent', requestId: 'again' },
  ]);
});

test('an intent that did not fit into the buffer, or was refused there, is refused', async () => {
  let isUp = true;
  const server = await collector(() => (isUp ? { status: 200 } : { status: 503 }));
  const { journal, fileSystem, sink } = await enforced(otlpTransport({ url: server.url }), 5000);
  isUp = false;
  // Records that nobody waits for fill the buffer.
  for (let i = 0; i < 200; i++) await journal.append('decision', intent(`r-${i}`), { durable: i === 199 });
  await expect(append(journal, 'full')).rejects.toMatchObject({
    message: expect.stringContaining('its buffer is full'),
  });
  isUp = true;
  await expect.poll(() => sink.isUp && sink.waitingBytes === 0).toBe(true);
  await expect.poll(() => checkAll(fileSystem).some(({ kind }) => kind === 'sink')).toBe(true);
  await append(journal, 'fits');

  const picky = await collector(() => ({ status: 200, body: '{"partialSuccess":{"rejectedLogRecords":"1"}}' }));
  const other = await enforced(otlpTransport({ url: picky.url }), 5000);
  await expect(append(other.journal, 'refused')).rejects.toMatchObject({
    message: expect.stringContaining('it was refused there'),
  });
});

test('when the disk fails after the deadline has passed, the intent stays open for the next start to settle', async () => {
  const hanging: SinkTransport = { send: () => new Promise(() => undefined), reset: () => undefined };
  const { journal, fileSystem } = await enforced(hanging, 800);
  const refused = append(journal, 'late');
  await expect.poll(() => checkAll(fileSystem), { interval: 1 }).toHaveLength(1);
  fileSystem.fault = ({ name }) => (name === 'append' ? 'EIO' : undefined);
  await expect(refused).rejects.toMatchObject({ code: 'undelivered' });
  fileSystem.fault = () => undefined;
  expect(journal.openIntents()).toMatchObject([{ requestId: 'late' }]);
  expect(journal.health().state).toBe('failed');
  await journal.reopen();
  await journal.flush();
});

test('a best-effort sink that never works holds nobody up', async () => {
  const server = await collector(() => ({ status: 200 }));
  const { journal } = await enforced(otlpTransport({ url: server.url }), 5000, 1 << 20);
  await Promise.all(Array.from({ length: 500 }, (_, i) => append(journal, `r-${i}`)));
  await journal.close();
});
