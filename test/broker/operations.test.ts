import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { BackendError } from '../../src/backend/index.ts';
import type { CommandRequest, OperationView } from '../../src/broker/core-api.ts';
import { readOperation } from '../../src/broker/operation.ts';
import type { BrokerFixture } from '../support/broker-fixture.ts';
import { bindOwn, journalOf, shippedParts, startShippedBroker } from '../support/shipped-broker.ts';

const open: BrokerFixture[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

async function started(...parts: Parameters<typeof startShippedBroker>) {
  const setup = await startShippedBroker(...parts);
  open.push(setup.broker);
  return setup;
}

const waitsForHost: CommandRequest = {
  kind: 'named',
  command: 'unbind-vppb',
  params: { vcs_id: 0, vppb_id: 0, option: 'wait-for-link-down' },
};

async function operationsOf(broker: BrokerFixture, tenant = 'acme'): Promise<readonly OperationView[]> {
  const caller = await broker.credential(tenant, { groups: ['operators'] });
  const seen = await broker.core.operations(caller, 'sw0');
  return seen.ok ? seen.value : [];
}

/** The same switch and state under a broker that was started again. */
async function restarted(broker: BrokerFixture, between?: () => unknown): Promise<BrokerFixture> {
  const next = await broker.restart(between);
  open.splice(open.indexOf(broker), 1, next);
  return next;
}

describe('an operation and a restart of the broker', () => {
  it('runs on under the same id for the same owner, and its result is there when it ends', async () => {
    const { broker, alice } = await started({ timing: { bindMs: 60_000 } });
    const answer = await broker.submit(alice, bindOwn);
    const id = answer.ok ? answer.value.background?.operation : undefined;
    const next = await restarted(broker);
    expect(await operationsOf(next)).toMatchObject([{ id, state: 'running', command: 'bind-vppb' }]);
    expect(await operationsOf(next, 'globex')).toEqual([]);
    next.device.emulator.control.endBackground();
    await expect
      .poll(async () => (await operationsOf(next))[0])
      .toMatchObject({ id, state: 'done', returnCode: 0, percent: 100, endedAtMs: expect.any(Number) });
  });

  it('that ended meanwhile has its result', async () => {
    const { broker, alice } = await started({ timing: { bindMs: 60_000 } });
    await broker.submit(alice, bindOwn);
    const next = await restarted(broker, () => broker.device.emulator.control.endBackground());
    expect(await operationsOf(next)).toMatchObject([{ state: 'done', returnCode: 0 }]);
  });

  it('of which the switch knows nothing any more has an unknown end', async () => {
    const { broker, alice } = await started({ timing: { bindMs: 60_000 } });
    await broker.submit(alice, bindOwn);
    const next = await restarted(broker, () => broker.device.emulator.control.powerCycle());
    expect(await operationsOf(next)).toMatchObject([{ state: 'unknown' }]);
    expect((await operationsOf(next))[0]).not.toHaveProperty('returnCode');
  });

  it("that nobody is known to have started is the operators': the slot is not taken for free", async () => {
    const { broker, alice } = await started({ timing: { bindMs: 60_000 } });
    await broker.submit(alice, bindOwn);
    const file = join(broker.directory, 'state', 'operations-sw0.json');
    const next = await restarted(broker, () => writeFile(file, 'not what was written'));
    expect(await operationsOf(next)).toEqual([]);
    expect(await operationsOf(next, 'fabric')).toMatchObject([{ state: 'running', command: 'bind-vppb' }]);
  });

  it('that ended before it is still there for its owner', async () => {
    const { broker, alice } = await started();
    await broker.submit(alice, bindOwn);
    await broker.settle();
    const [before] = await operationsOf(broker);
    const next = await restarted(broker);
    expect(before).toMatchObject({ state: 'done' });
    expect(await operationsOf(next)).toEqual([before]);
  });

  it('is on disk before its owner hears of it', async () => {
    const { broker, alice } = await started({ timing: { bindMs: 60_000 } });
    const answer = await broker.submit(alice, bindOwn);
    const text = await readFile(join(broker.directory, 'state', 'operations-sw0.json'), 'utf8');
    expect(JSON.parse(text).state).toMatchObject([{ id: answer.ok ? answer.value.requestId : '', state: 'running' }]);
  });
});

describe('a command that was cut off and may have started work', () => {
  it('has its operation after all when the switch says that it runs', async () => {
    const { broker, device, alice } = await started({ timing: { bindMs: 60_000 } });
    device.hook = async (request, pass) => {
      const reply = await pass();
      if (request.opcode !== 0x5201) return reply;
      device.hook = undefined;
      throw new BackendError('ETIMEDOUT', 'unknown', 'the reply was lost');
    };
    const answer = await broker.submit(alice, bindOwn);
    expect(answer).toMatchObject({ ok: false, problem: { code: 'ETIMEDOUT' } });
    const id = answer.ok ? '' : answer.problem.requestId;
    await expect.poll(() => operationsOf(broker)).toMatchObject([{ id, state: 'running' }]);
    broker.device.emulator.control.endBackground();
    await expect.poll(() => operationsOf(broker)).toMatchObject([{ id, state: 'done', returnCode: 0 }]);
  });

  it('stays unknown when nothing runs', async () => {
    const { broker, device, alice } = await started();
    device.hook = async (request, pass) => {
      if (request.opcode !== 0x5201) return pass();
      device.hook = undefined;
      throw new BackendError('ETIMEDOUT', 'unknown', 'it never arrived');
    };
    await broker.submit(alice, bindOwn);
    await expect.poll(() => broker.core.readiness()).toMatchObject({ ready: true });
    await broker.settle();
    await expect.poll(() => operationsOf(broker)).toMatchObject([{ state: 'unknown' }]);
    // The slot is free for the next one.
    await expect.poll(() => broker.submit(alice, bindOwn)).toMatchObject({ ok: true });
  });

  it('of another does not end an operation that runs', async () => {
    const { broker, device, alice } = await started({ timing: { bindMs: 60_000 } });
    await broker.submit(alice, bindOwn);
    device.hook = async (request, pass) => {
      if (request.opcode !== 0x5101) return pass();
      device.hook = undefined;
      throw new BackendError('ETIMEDOUT', 'unknown', 'no reply');
    };
    await broker.submit(alice, { kind: 'named', command: 'get-physical-port-state', params: { port_id_list: [2] } });
    expect(await operationsOf(broker)).toMatchObject([{ state: 'running' }]);
    broker.device.emulator.control.endBackground();
    await expect.poll(() => operationsOf(broker)).toMatchObject([{ state: 'done', returnCode: 0 }]);
  });
});

describe('an unbind that waits for its host', () => {
  it('is overdue when the host takes too long: the owner sees it, the operators are told, it is not ended', async () => {
    const { broker, alice, olga } = await started({
      timing: { hostReleaseMs: null },
      moreConfig: 'limits: { unbind_wait_ms: 100 }',
    });
    expect(await broker.submit(alice, waitsForHost)).toMatchObject({ ok: true, value: { returnCode: 1 } });
    await expect.poll(() => operationsOf(broker)).toMatchObject([{ state: 'running', overdue: true }]);
    expect(await broker.core.metrics(olga)).toContain('cci_operations_overdue{switch="sw0"} 1');
    await expect
      .poll(async () => (await journalOf(broker)).filter(({ details }) => JSON.stringify(details)?.includes('overdue')))
      .toHaveLength(1);
    expect(broker.requests.some(({ opcode }) => opcode === 0x0005)).toBe(false);
    // The host lets go after all.
    broker.device.emulator.control.releaseLink(2);
    await expect.poll(() => operationsOf(broker)).toMatchObject([{ state: 'done', returnCode: 0 }]);
    expect((await operationsOf(broker))[0]).not.toHaveProperty('overdue');
  });
});

describe('the slot that another holds', () => {
  it('is busy (0006h) to everybody else, and nothing says whose it is', async () => {
    const { broker, alice, bob } = await started({ timing: { bindMs: 60_000 } });
    await broker.submit(alice, bindOwn);
    const theirs: CommandRequest = {
      kind: 'named',
      command: 'bind-vppb',
      params: { vcs_id: 1, vppb_id: 2, physical_port_id: 3, ld_id: 3 },
    };
    const answer = await broker.submit(bob, theirs);
    expect(answer).toMatchObject({ ok: true, value: { returnCode: 6 } });
    expect(JSON.stringify(answer)).not.toMatch(/acme|alice|bind/);
    expect(answer.ok && answer.value).not.toHaveProperty('background');
  });
});

describe('work behind a tunnel', () => {
  it('has its own slot, its owner and its end, like that of the switch', async () => {
    const rows = `${shippedParts.grants.get('acme') ?? ''}p, role:operator, acme, own, populate-log, allow\n`;
    const { broker, alice } = await started({
      timing: { logMs: 60_000, bindMs: 0 },
      grants: new Map([...shippedParts.grants, ['acme', rows]]),
    });
    const populate: CommandRequest = {
      kind: 'named',
      command: 'populate-log',
      params: { log_identifier: 'b3fab4cf-01b6-4332-943e-5e9962f23567' },
      via: 'port:2',
    };
    const answer = await broker.submit(alice, populate);
    expect(answer).toMatchObject({ ok: true, value: { returnCode: 1 } });
    expect(await operationsOf(broker)).toMatchObject([{ state: 'running', command: 'populate-log', via: 'port:2' }]);
    // The slot of the switch is free meanwhile.
    expect(await broker.submit(alice, bindOwn)).toMatchObject({ ok: true, value: { returnCode: 1 } });
    broker.device.emulator.control.endBackground('d0');
    await expect.poll(async () => (await operationsOf(broker)).map(({ state }) => state)).toEqual(['done', 'done']);
  });
});

describe('the file of operations', () => {
  const good = {
    id: 'one',
    tenant: 'acme',
    principal: 'user:x#y',
    command: 'bind-vppb',
    opcode: 0x5201,
    startedAtMs: 1,
    state: 'running',
    percent: 0,
  };

  it.each([
    ['no object', 7],
    ['a list', []],
    ['no id', { ...good, id: undefined }],
    ['a state that there is not', { ...good, state: 'paused' }],
    ['a percentage in words', { ...good, percent: 'half' }],
    ['a return code in words', { ...good, returnCode: 'success' }],
    ['an end in words', { ...good, endedAtMs: 'noon' }],
    ['three hops', { ...good, hops: Array.from({ length: 3 }, () => ({ kind: 'port', port: 1 })) }],
    ['a hop to nowhere', { ...good, hops: [{ kind: 'moon' }] }],
  ])('with %s in it does not bring an operation to life', (_what, value) => {
    expect(readOperation(value)).toBeUndefined();
  });

  it('gives back what was put there', () => {
    const whole = {
      ...good,
      state: 'done',
      returnCode: 0,
      endedAtMs: 5,
      waitsForHost: true,
      overdue: true,
      hops: [{ kind: 'port', port: 3 }, { kind: 'ldpool' }],
    };
    expect(readOperation(JSON.parse(JSON.stringify(whole)))).toEqual(whole);
    expect(readOperation(good)).toEqual(good);
  });
});
