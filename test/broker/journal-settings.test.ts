import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import type { CommandRequest } from '../../src/broker/core-api.ts';
import { verifyJournal } from '../../src/broker/journal/index.ts';
import type { BrokerFixture } from '../support/broker-fixture.ts';
import { bindOwn, journalOf, startShippedBroker } from '../support/shipped-broker.ts';
import { collected, collector } from './journal/sinks/fixture.ts';

let broker: BrokerFixture | undefined;
afterEach(() => broker?.close());

async function started(journal: string) {
  const setup = await startShippedBroker({ moreConfig: `journal:\n${journal}` });
  broker = setup.broker;
  return setup;
}

const read: CommandRequest = { kind: 'named', command: 'get-physical-port-state', params: { port_id_list: [2] } };

test('with strict durability a read, too, is on disk before the device sees it, and so is a refusal before its answer', async () => {
  const { broker, device, alice, bob } = await started('  durability: strict');
  let before: readonly { readonly [key: string]: unknown }[] = [];
  device.hook = async (request, pass) => {
    if (request.opcode === 0x5101) before = await journalOf(broker);
    return pass();
  };
  expect(await broker.submit(alice, read)).toMatchObject({ ok: true });
  expect(before.at(-1)).toMatchObject({ kind: 'intent', command: 'get-physical-port-state' });
  expect((await journalOf(broker)).at(-1)).toMatchObject({ kind: 'outcome', outcome: 'done', returnCodes: [0] });
  expect(await broker.submit(bob, bindOwn)).toMatchObject({ ok: false, problem: { code: 'EPERM' } });
  expect((await journalOf(broker)).at(-1)).toMatchObject({ kind: 'decision', verdict: 'deny', tenant: 'globex' });
});

test('nothing that changes state is sent before an enforced sink has its intent; reads go on', async () => {
  let isUp = true;
  const server = await collector(() => (isUp ? { status: 200 } : 'hang'));
  const sink = `  sinks:\n    - kind: otlp\n      name: vault\n      url: ${server.url}\n      enforced: { deadline_ms: 800 }`;
  const { broker, device, alice } = await started(sink);
  let delivered: number[] = [];
  device.hook = async (request, pass) => {
    if (request.opcode === 0x5201) delivered = collected(server.bodies);
    return pass();
  };
  expect(await broker.submit(alice, bindOwn)).toMatchObject({ ok: true });
  const intent = (await journalOf(broker)).find(({ kind }) => kind === 'intent');
  expect(delivered).toContain(intent?.seq);
  await broker.settle();
  isUp = false;
  broker.requests.length = 0;
  const unbind: CommandRequest = {
    kind: 'named',
    command: 'unbind-vppb',
    params: { vcs_id: 0, vppb_id: 2, option: 'surprise-hot-remove' },
  };
  expect(await broker.submit(alice, unbind)).toMatchObject({ ok: false, problem: { code: 'EIO' } });
  expect(await broker.submit(alice, unbind)).toMatchObject({ ok: false, problem: { code: 'EIO' } });
  expect(broker.requests.filter(({ opcode }) => opcode === 0x5202)).toEqual([]);
  expect(await broker.submit(alice, read)).toMatchObject({ ok: true });
  const outcome = (await journalOf(broker)).find((one) => one.kind === 'outcome' && one.outcome === 'not-sent');
  expect(outcome?.reason).toMatch(
    /^sink `vault` did not take the intent: it took longer than 800 ms, so nothing was sent$/,
  );
  expect(await broker.core.metrics()).toMatch(/^cci_journal_sink_up\{sink="vault"\} 0$/m);
  isUp = true;
  await expect.poll(async () => (await broker.submit(alice, unbind)).ok, { timeout: 15_000, interval: 200 }).toBe(true);
  expect(await broker.core.metrics()).toMatch(/^cci_journal_sink_lost_total\{sink="vault"\} 0$/m);
});

test('segments, a witness and the public key are where the configuration and the documentation say', async () => {
  const { broker, alice } = await started('  segment_bytes: 65536\n  segment_age: 1s\n  witness:\n    - file: witness');
  for (let i = 0; i < 100; i++) await broker.submit(alice, read);
  await expect
    .poll(
      async () => {
        await broker.submit(alice, read);
        return (await readdir(join(broker.directory, 'state', 'journal'))).filter((name) => name.endsWith('.jsonl'))
          .length;
      },
      { timeout: 10_000 },
    )
    .toBeGreaterThan(1);
  const directory = join(broker.directory, 'state', 'journal');
  const key = await readFile(join(directory, 'journal-key.pem'), 'utf8');
  await expect.poll(async () => (await readdir(broker.directory)).includes('witness')).toBe(true);
  const options = { keys: [key], witnesses: [join(broker.directory, 'witness')] };
  await expect.poll(async () => (await verifyJournal(directory, options)).problems).toEqual([]);
});

test('a file ahead of the segments that cannot be used costs one command, and operators see it', async () => {
  const { broker, alice } = await started('  durability: strict');
  const ahead = join(broker.directory, 'state', 'journal', 'ahead.journal');
  expect(await broker.core.metrics()).toMatch(/^cci_journal_ahead 1$/m);
  await rm(ahead);
  await mkdir(ahead);
  expect(await broker.submit(alice, read)).toMatchObject({ ok: false, problem: { code: 'EIO' } });
  await expect.poll(async () => (await broker.submit(alice, read)).ok, { timeout: 10_000 }).toBe(true);
  expect(await broker.core.metrics()).toMatch(/^cci_journal_ahead 0$/m);
});

test('a signing key that was configured must be there', async () => {
  await expect(started('  signing_key: nowhere.pem')).rejects.toThrow(/the journal cannot be used.*nowhere\.pem/s);
});
