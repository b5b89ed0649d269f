import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CommandAnswer, Credential } from '../../../src/broker/core-api.ts';
import type { BrokerFixture } from '../../support/broker-fixture.ts';
import { bindOwn, startShippedBroker } from '../../support/shipped-broker.ts';

type Json = { readonly [name: string]: unknown };

async function run(
  broker: BrokerFixture,
  who: Credential,
  command: string,
  params: Json = {},
  via?: string,
): Promise<CommandAnswer> {
  const answer = await broker.submit(who, { kind: 'named', command, params, ...(via === undefined ? {} : { via }) });
  if (!answer.ok) throw new Error(`${command}: ${answer.problem.code} ${answer.problem.detail}`);
  return answer.value;
}
const result = (answer: CommandAnswer): Json => answer.result as Json;
const records = (answer: CommandAnswer): readonly Json[] => result(answer).event_records as readonly Json[];
const read = (broker: BrokerFixture, who: Credential, log = 'informational') =>
  run(broker, who, 'get-event-records', { event_log: log });

/** Waits until the caller has so many events. */
async function events(broker: BrokerFixture, who: Credential, count: number) {
  for (let turn = 0; turn < 3000; turn++) {
    const page = await broker.core.events(who, 'sw0', { limit: 1000 });
    if (!page.ok) throw new Error(page.problem.detail);
    if (page.value.events.length >= count) return page.value;
    await new Promise((done) => setTimeout(done, 5));
  }
  throw new Error(`fewer than ${count} events`);
}

const unbind = (vcs: number, vppb: number) => ({ vcs_id: vcs, vppb_id: vppb, option: 'surprise-hot-remove' });

describe('a tenant of a switch whose events are drained', () => {
  let shipped: Awaited<ReturnType<typeof startShippedBroker>>;
  beforeAll(async () => {
    shipped = await startShippedBroker({ eventsPollMs: 10 });
  });
  afterAll(() => shipped.broker.close());

  it('finds what he did in his own log, and nobody else’s; operators find all of it', async () => {
    const { broker, alice, bob, olga } = shipped;
    await broker.submit(alice, bindOwn);
    await events(broker, alice, 1);
    await run(broker, bob, 'unbind-vppb', unbind(1, 0));
    await events(broker, bob, 1);
    expect(records(await read(broker, alice))).toMatchObject([{ event_record_handle: 1 }]);
    expect(records(await read(broker, bob))).toMatchObject([{ event_record_handle: 1 }]);
    expect((await events(broker, olga, 2)).events).toHaveLength(2);
    expect(records(await read(broker, olga)).map((one) => one.event_record_handle)).toEqual([1, 2]);
    expect((await broker.core.events(alice, 'sw0')).ok).toBe(true);
  });

  it('clears his own log and nobody else’s, by handles in their order or altogether', async () => {
    const { broker, alice, bob } = shipped;
    await run(broker, alice, 'unbind-vppb', unbind(0, 0));
    await run(broker, alice, 'unbind-vppb', unbind(0, 1));
    await events(broker, alice, 3);
    const clear = (handles: readonly number[], all = false) =>
      run(broker, alice, 'clear-event-records', {
        event_log: 'informational',
        clear_event_flags: all,
        event_record_handles: handles,
      });
    expect((await clear([2])).returnCode).toBe(0x0e);
    expect((await clear([1, 3])).returnCode).toBe(0x0e);
    expect((await clear([])).returnCode).toBe(2);
    expect((await clear([1], true)).returnCode).toBe(2);
    expect(records(await read(broker, alice))).toHaveLength(3);
    expect((await clear([1, 2])).returnCode).toBe(0);
    expect(records(await read(broker, alice)).map((one) => one.event_record_handle)).toEqual([3]);
    expect((await clear([], true)).returnCode).toBe(0);
    expect(records(await read(broker, alice))).toEqual([]);
    expect(records(await read(broker, bob))).toHaveLength(1);
    // The feed is not the log: it keeps them.
    expect((await events(broker, alice, 3)).events).toHaveLength(3);
  });

  it('none of it reaches the switch', async () => {
    const { broker, alice, bob, olga, device } = shipped;
    void device;
    await broker.settle().catch(() => undefined);
    const before = broker.requests.length;
    const own = [0x0004, 0x0300, 0x0301];
    for (const who of [alice, bob, olga]) {
      await run(broker, who, 'get-timestamp');
      await read(broker, who);
    }
    await run(broker, alice, 'set-timestamp', { timestamp: '0x10' });
    await run(broker, alice, 'set-response-message-limit', { response_message_limit: 9 });
    expect(broker.requests.slice(before).filter(({ opcode }) => own.includes(opcode))).toEqual([]);
  });

  it('has no log of dynamic capacity where the switch has none', async () => {
    const { broker, alice } = shipped;
    expect((await read(broker, alice, 'dynamic-capacity')).returnCode).toBe(2);
  });

  it('is refused what the specification keeps from a switch, and the claimed ones of devices', async () => {
    const { broker, alice } = shipped;
    const code = async (command: string, params: Json, via?: string) => {
      const answer = await broker.submit(alice, {
        kind: 'named',
        command,
        params,
        ...(via === undefined ? {} : { via }),
      });
      return answer.ok ? 'ok' : answer.problem.code;
    };
    expect(await code('get-event-interrupt-policy', {})).toBe('ENOTTY');
    expect(await code('set-timestamp', { timestamp: 1 }, 'port:2')).toBe('EBUSY');
    const all = { event_log: 'warning', clear_event_flags: true, event_record_handles: [] };
    expect(await code('clear-event-records', all, 'port:2')).toBe('EBUSY');
  });
});

describe('a clock of one’s own', () => {
  it('runs from what the tenant set, tells his events by it, and is nobody else’s', async () => {
    await using broker = (await startShippedBroker({ eventsPollMs: 10 })).broker;
    const who = (tenant: string) => broker.credential(tenant, { groups: ['operators'] });
    const [alice, bob] = [await who('acme'), await who('globex')];
    const clock = async (caller: Credential) =>
      BigInt(String(result(await run(broker, caller, 'get-timestamp')).timestamp));
    const utc = BigInt(Date.now()) * 1_000_000n;
    const slack = 60_000_000_000n;
    expect((await clock(alice)) - utc < slack).toBe(true);
    await broker.submit(alice, bindOwn);
    const before = (await events(broker, alice, 1)).events[0];
    await run(broker, alice, 'set-timestamp', { timestamp: '0x8000000000000000' });
    expect((await clock(alice)) - (1n << 63n) < slack).toBe(true);
    expect((await clock(bob)) - utc < slack).toBe(true);
    const after = (await events(broker, alice, 1)).events[0];
    const at = (event: typeof after) => (event?.kind === 'record' ? BigInt(event.timestamp) : 0n);
    expect(at(after) - at(before)).toBeGreaterThan(1n << 62n);
    expect(BigInt(String(records(await read(broker, alice))[0]?.event_record_timestamp))).toBe(at(after));
  });

  it('works on a device that must never be asked for the time', async () => {
    const { broker, alice } = await startShippedBroker({
      moreConfig: "    never_send: [{ opcode: '0x0300', reason: it dies }, { opcode: '0x0301', reason: it dies }]",
    });
    await using _ = broker;
    await run(broker, alice, 'set-timestamp', { timestamp: 5 });
    expect((await run(broker, alice, 'get-timestamp')).returnCode).toBe(0);
    expect(broker.requests.filter(({ opcode }) => opcode === 0x0300 || opcode === 0x0301)).toEqual([]);
  });
});

describe('a response message limit of one’s own', () => {
  it('cuts the lists of that tenant alone, and refuses what cannot be cut', async () => {
    const { broker, alice, bob } = await startShippedBroker({ eventsPollMs: 10 });
    await using _ = broker;
    const limitOf = async (who: Credential) =>
      result(await run(broker, who, 'get-response-message-limit')).response_message_limit;
    expect(await limitOf(alice)).toBe(13);
    expect(result(await run(broker, alice, 'set-response-message-limit', { response_message_limit: 8 }))).toEqual({
      response_message_limit: 8,
    });
    expect([await limitOf(alice), await limitOf(bob)]).toEqual([8, 13]);
    await broker.submit(alice, bindOwn);
    await run(broker, alice, 'unbind-vppb', unbind(0, 0));
    await events(broker, alice, 2);
    // 256 bytes hold one record: 13 in front of the payload, 32 in front of the records.
    const page = await read(broker, alice);
    expect(result(page)).toMatchObject({ flags: { more_event_records: true } });
    expect(records(page)).toHaveLength(1);
    const cel = '0da9c0b5-bf41-4b78-8f79-96b1623b3f17';
    const logs = result(await run(broker, bob, 'get-supported-logs')).supported_log_entries as readonly Json[];
    const size = Number(logs[0]?.log_size);
    const window = (who: Credential, offset: number, length: number) =>
      run(broker, who, 'get-log', { log_identifier: cel, offset, length });
    expect((await window(bob, 0, size)).returnCode).toBe(0);
    expect((await window(bob, size - 4, 4)).payload).toHaveLength(4);
    for (const [offset, length] of [
      [0, size + 1],
      [size, 1],
      [size - 4, 8],
    ] as const) {
      expect((await window(bob, offset, length)).returnCode).toBe(2);
    }
    const refused = await broker.submit(alice, {
      kind: 'named',
      command: 'set-response-message-limit',
      params: { response_message_limit: 7 },
    });
    expect(refused.ok).toBe(false);
  });
});

describe('who may read events', () => {
  it('nobody without the grant, without the scope, or of a switch where nothing is his', async () => {
    const { broker } = await startShippedBroker();
    await using _ = broker;
    const code = async (who: Credential, name = 'sw0', query = {}) => {
      const page = await broker.core.events(who, name, query);
      return page.ok ? 'ok' : page.problem.code;
    };
    expect(await code(await broker.credential('acme', { scopes: ['cci:audit'] }))).toBe('EPERM');
    const alice = await broker.credential('acme', { scopes: ['cci:read'] });
    expect(await code(alice)).toBe('ok');
    expect(await code(alice, 'sw9')).toBe('ENOENT');
    expect(await code({ ...alice, token: 'x' })).toBe('EAUTH');
    for (const query of [
      { after: 'x' },
      { after: '' },
      { limit: 0 },
      { limit: 1001 },
      { limit: 1.5 },
      { waitMs: -1 },
      { waitMs: 60_001 },
    ]) {
      expect(await code(alice, 'sw0', query)).toBe('EPARAM');
    }
  });

  it('not without a grant', async () => {
    const { broker } = await startShippedBroker({
      grants: new Map([
        ['acme', 'p, role:r, acme, own, class:allowlisted, allow\ng, group:tenant/acme, role:r, acme\n'],
      ]),
    });
    await using _ = broker;
    expect(await broker.core.events(await broker.credential('acme'), 'sw0')).toMatchObject({
      ok: false,
      problem: { code: 'EPERM' },
    });
  });

  it('waiting ends with an event, with the time, and with the token', async () => {
    const { broker, alice, bob } = await startShippedBroker({ eventsPollMs: 10 });
    await using _ = broker;
    const waiting = broker.core.events(alice, 'sw0', { waitMs: 5000 });
    await broker.submit(alice, bindOwn);
    expect(await waiting).toMatchObject({ ok: true, value: { events: [{ kind: 'record' }] } });
    expect(await broker.core.events(bob, 'sw0', { waitMs: 5 })).toMatchObject({ ok: true, value: { events: [] } });
    const brief = await broker.credential('globex', { ttlMs: 1200 });
    expect(await broker.core.events(brief, 'sw0', { waitMs: 60_000 })).toMatchObject({
      ok: false,
      problem: { code: 'EAUTH' },
    });
  });

  it('one tenant cannot wait without end', async () => {
    const { broker, alice, bob } = await startShippedBroker();
    await using _ = broker;
    const waiting = Array.from({ length: 70 }, () => broker.core.events(alice, 'sw0', { waitMs: 800 }));
    const answers = await Promise.all(waiting);
    expect(answers.filter((one) => !one.ok && one.problem.code === 'EAGAIN')).toHaveLength(6);
    expect((await broker.core.events(bob, 'sw0', { waitMs: 1 })).ok).toBe(true);
  });
});
