import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect, test } from 'vitest';
import { journalRecordSchema, recordKinds } from '../../../src/broker/journal/index.ts';
import { bindOwn, journalOf, shippedParts, startShippedBroker } from '../../support/shipped-broker.ts';
import { checkAll, intent, openInMemory, SMALL } from './fixture.ts';

const schema = journalRecordSchema() as {
  readonly oneOf: readonly { readonly title: string; readonly required: readonly string[] }[];
};
const ajv = new Ajv2020({ allErrors: true, strict: true, allowUnionTypes: true });
const isRecord = ajv.compile(schema);
const byKind = new Map(schema.oneOf.map((one) => [one.title, ajv.compile(one)]));

function mustBeRecords(records: readonly { readonly [key: string]: unknown }[]): void {
  for (const record of records) {
    const fits = byKind.get(String(record.kind));
    fits?.(record);
    expect(fits?.errors ?? [], JSON.stringify(record)).toEqual([]);
    expect(isRecord(record), JSON.stringify(record)).toBe(true);
  }
}

test('docs/journal-record.schema.json is what scripts/write-journal-schema.ts writes', () => {
  const shipped = readFileSync(new URL('../../../docs/journal-record.schema.json', import.meta.url), 'utf8');
  expect(shipped).toBe(`${JSON.stringify(journalRecordSchema(), undefined, 2)}\n`);
});

test('every kind of record has its part of the schema, with its frame', () => {
  expect(schema.oneOf.map(({ title }) => title)).toEqual(recordKinds);
  for (const { required } of schema.oneOf)
    expect(required).toEqual(expect.arrayContaining(['v', 'seq', 'at', 'mono', 'prev', 'hash']));
});

test('what a journal writes by itself fits', async () => {
  const { journal, fileSystem } = await openInMemory(undefined, SMALL);
  fileSystem.fault = ({ name, number }) => (name === 'append' && number > 20 && number < 40 ? 'EIO' : undefined);
  for (let i = 0; i < 12; i++) {
    await journal
      .append('intent', intent(`r-${i}`), { durable: true })
      .catch(() => journal.reopen().catch(() => undefined));
  }
  fileSystem.fault = () => undefined;
  await journal.reopen();
  await journal.close();
  fileSystem.edit('/state/journal/journal-000001.jsonl', (data) => data);
  const next = await openInMemory(fileSystem, SMALL);
  await next.journal.append('sink', { sink: 'otlp', lost: 3, first: 4, last: 9 }, { durable: true });
  await next.journal.close();
  const records = checkAll(fileSystem);
  expect(new Set(records.map(({ kind }) => kind))).toEqual(
    new Set(['intent', 'recovery', 'outcome', 'checkpoint', 'sink']),
  );
  mustBeRecords(records);
});

test('what a broker writes fits, whatever becomes of a command', async () => {
  const raw = `${shippedParts.grants.get('fabric')}\np, role:fabric-admin, fabric, /switches/sw0/*, opcode:0x0001-0xffff, allow\n`;
  const setup = await startShippedBroker({
    profile: 'bmc',
    rawCommands: 'taints-this-switch',
    grants: new Map([...shippedParts.grants, ['fabric', raw]]),
    moreConfig: 'journal:\n  payloads: all',
  });
  const { broker, device, alice, bob, olga } = setup;
  await using _ = broker;
  await broker.submit(alice, { kind: 'named', command: 'get-physical-port-state', params: { port_id_list: [2, 3] } });
  await broker.submit(alice, { kind: 'named', command: 'nonsense' });
  await broker.submit(bob, bindOwn);
  await broker.submit(alice, bindOwn);
  await broker.settle();
  await broker.submit(olga, { kind: 'raw', opcode: 0x5101, payload: Uint8Array.of(1, 5) });
  await broker.submit(olga, { kind: 'named', command: 'set-lsa', via: 'port:2', params: { offset: 0, data: '00ff' } });
  await broker.submit({ ...alice, token: 'rubbish' }, bindOwn);
  device.hook = async () => {
    throw new Error('lost');
  };
  await broker.submit(olga, { kind: 'named', command: 'identify' });
  device.hook = undefined;
  const lost = ({ details }: { readonly [key: string]: unknown }) =>
    JSON.stringify(details ?? '').includes('"unknown"');
  await expect.poll(async () => (await journalOf(broker)).some(lost)).toBe(true);
  const records = await journalOf(broker);
  const kinds = new Set(records.map(({ kind }) => kind));
  for (const kind of ['start', 'decision', 'intent', 'outcome', 'authentication', 'posture'])
    expect(kinds).toContain(kind);
  mustBeRecords(records);
  const intents = records.filter(({ kind }) => kind === 'intent');
  // A raw command taints before it is recorded: the record has the posture on both sides, and the bytes where asked for.
  expect(intents.at(-1)).toMatchObject({
    class: 'raw',
    payload: '0105',
    payloadBytes: 2,
    flags: expect.arrayContaining(['unaudited']),
  });
  expect(intents.at(-1)?.posture).not.toEqual(intents.at(-1)?.postureBefore);
  const secret = records.find(({ command }) => command === 'set-lsa');
  expect(secret).toMatchObject({ fields: { offset: 0, data: '(masked)' }, payloadBytes: 10 });
  expect(secret).not.toHaveProperty('payload');
  expect(secret).not.toHaveProperty('payloadDigest');
  const read = records.find(({ kind, verdict }) => kind === 'decision' && verdict === 'allow');
  expect(read).toMatchObject({
    durationMs: expect.any(Number),
    queueMs: expect.any(Number),
    deviceMs: expect.any(Number),
  });
  expect(read).toHaveProperty('rule');
});

test.each<[string, object]>([
  ['a member that nobody described', { more: 1 }],
  ['another version', { v: 2 }],
  ['a hash that is none', { hash: 'x' }],
  ['a kind that is none', { kind: 'weather' }],
  ['a flag that is none', { flags: ['fine'] }],
])('%s does not fit', async (_, change) => {
  const { journal, fileSystem } = await openInMemory();
  await journal.append('intent', intent('r'), { durable: true });
  const [record] = checkAll(fileSystem);
  mustBeRecords(record === undefined ? [] : [record]);
  expect(isRecord({ ...record, ...change })).toBe(false);
});
