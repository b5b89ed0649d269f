import { afterEach, describe, expect, it } from 'vitest';
import type { FaultRule } from '../../src/backend/emulator/index.ts';
import { BackendError } from '../../src/backend/index.ts';
import type { CommandRequest } from '../../src/broker/core-api.ts';
import type { BrokerFixture } from '../support/broker-fixture.ts';
import { bindOwn, journalOf, startShippedBroker } from '../support/shipped-broker.ts';

// Commands whose reply does not come, by the faults of the emulated switch: what the caller is told, word by word, what
// the journal has, and that nothing is sent before the switch has answered an Identify.

let broker: BrokerFixture | undefined;
afterEach(() => broker?.close());

const ports: CommandRequest = { kind: 'named', command: 'get-physical-port-state', params: { port_id_list: [2] } };
const IDENTIFY = 0x0001;
const quick = 'limits: { command_timeout_ms: 80 }';

async function started(moreConfig = quick) {
  const setup = await startShippedBroker({ moreConfig });
  broker = setup.broker;
  await setup.broker.submit(setup.alice, ports);
  setup.broker.requests.length = 0;
  const inject = (rule: FaultRule) => setup.broker.device.emulator.control.inject(rule);
  const isServing = () => expect.poll(async () => (await setup.broker.core.readiness()).ready);
  return { ...setup, inject, isServing };
}

const CHANGES = 'the switch did not answer: whether the command was executed is unknown (look before you repeat it)';
const READS = 'the switch did not answer: whether the command was executed is unknown (it changes nothing)';
const AFTER =
  'the command was not sent: a command before it was cut off, and nothing is sent until the switch has answered an Identify again';

describe('a command that changes state and is cut off', () => {
  const faults: readonly (readonly [string, FaultRule['fault']])[] = [
    ['whose reply never comes', { kind: 'missing' }],
    ['whose reply comes after the time limit', { kind: 'late', ms: 150 }],
    ['that gets stuck in the doorbell', { kind: 'stuck-doorbell', commands: 2 }],
    ['under which the switch resets', { kind: 'reset' }],
    ['under which the switch loses power', { kind: 'power-cycle' }],
    ['whose reply is that of another opcode', { kind: 'wrong-opcode' }],
    ['whose reply has the tag of another', { kind: 'wrong-tag' }],
  ];

  it.each(faults)('%s has an unknown outcome, and is never called failed', async (_what, fault) => {
    const { broker, alice, inject, isServing } = await started();
    inject({ fault, opcode: 0x5201 });
    const answer = await broker.submit(alice, bindOwn);
    expect(answer).toMatchObject({ ok: false, problem: { code: 'ETIMEDOUT', returnCode: 4, detail: CHANGES } });
    const outcome = (await journalOf(broker)).find(({ kind }) => kind === 'outcome');
    expect(outcome).toMatchObject({ outcome: 'unknown', flags: ['unknown-outcome'] });
    await isServing().toBe(true);
    // The first thing that the switch saw afterwards was the Identify; then ports and bindings were read again.
    const after = broker.requests.slice(broker.requests.findIndex(({ opcode }) => opcode === 0x5201) + 1);
    expect(after[0]?.opcode).toBe(IDENTIFY);
    await expect.poll(() => broker.requests.slice(1).map(({ opcode }) => opcode)).toContain(0x5101);
    await expect.poll(() => broker.requests.slice(1).map(({ opcode }) => opcode)).toContain(0x5200);
    await expect.poll(() => broker.submit(alice, ports)).toMatchObject({ ok: true });
  });

  it('keeps those that wait from being sent: they are told why, and that they were not', async () => {
    const { broker, alice, bob, device, inject, isServing } = await started('limits: { command_timeout_ms: 500 }');
    inject({ fault: { kind: 'missing' }, opcode: 0x5201 });
    // It is not open again before they were told, so that what waits finds the switch in quarantine.
    const told = Promise.withResolvers<void>();
    device.hook = async (request, pass) => {
      if (request.opcode === IDENTIFY) await told.promise;
      return pass();
    };
    const first = broker.submit(alice, bindOwn);
    await expect.poll(() => broker.requests.length, { interval: 1 }).toBe(1);
    const theirs = { kind: 'named', command: 'get-physical-port-state', params: { port_id_list: [4] } } as const;
    const waiting = [broker.submit(alice, ports), broker.submit(bob, theirs)];
    expect(await first).toMatchObject({ problem: { code: 'ETIMEDOUT' } });
    for (const answer of await Promise.all(waiting)) {
      expect(answer).toMatchObject({ ok: false, problem: { code: 'EIO', detail: AFTER } });
    }
    told.resolve();
    expect(
      (await journalOf(broker)).filter(({ details }) => JSON.stringify(details)?.includes('not-sent')),
    ).toHaveLength(2);
    await isServing().toBe(true);
  });
});

describe('a read that is cut off', () => {
  it('has an unknown outcome as well, and the caller is told that it changed nothing', async () => {
    const { broker, alice, inject, isServing } = await started();
    inject({ fault: { kind: 'missing' }, opcode: 0x5101 });
    expect(await broker.submit(alice, ports)).toMatchObject({ problem: { code: 'ETIMEDOUT', detail: READS } });
    await isServing().toBe(true);
  });

  it('by an Identify that fails as well leaves the switch in quarantine until one succeeds', async () => {
    const { broker, alice, device, inject, isServing } = await started();
    const looked = Promise.withResolvers<void>();
    device.hook = async (request, pass) => {
      if (request.opcode === IDENTIFY) await looked.promise;
      return pass();
    };
    inject({ fault: { kind: 'missing' }, opcode: 0x5101 });
    inject({ fault: { kind: 'wrong-return-code', returnCode: 4 }, opcode: IDENTIFY, times: 2 });
    await broker.submit(alice, ports);
    expect(await broker.core.readiness()).toMatchObject({ ready: false });
    looked.resolve();
    await isServing().toBe(true);
    expect(broker.requests.slice(0, 4).map(({ opcode }) => opcode)).toEqual([0x5101, IDENTIFY, IDENTIFY, IDENTIFY]);
  });
});

describe('a doorbell that is set before the command is rung', () => {
  it('is no unknown outcome: the command was not sent, and the switch goes on serving', async () => {
    const { broker, alice, device } = await started();
    device.hook = async (request, pass) => {
      if (request.opcode !== 0x5201) return pass();
      throw new BackendError('EBUSY', 'not-sent', 'the doorbell is set');
    };
    expect(await broker.submit(alice, bindOwn)).toMatchObject({
      ok: false,
      problem: { code: 'EIO', detail: 'the command was not sent: the switch is not available' },
    });
    expect((await journalOf(broker)).find(({ kind }) => kind === 'outcome')).toMatchObject({ outcome: 'not-sent' });
    expect(await broker.core.readiness()).toMatchObject({ ready: true });
    expect(broker.requests.map(({ opcode }) => opcode)).not.toContain(IDENTIFY);
  });
});
