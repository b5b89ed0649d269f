import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { MemoryRevocations } from '../../src/broker/auth/index.ts';
import type {
  CommandAnswer,
  CommandRequest,
  CoreResult,
  Credential,
  SubmitOptions,
} from '../../src/broker/core-api.ts';
import { JournalWriter } from '../../src/broker/journal/journal.ts';
import { bindOwn, journalOf, type ShippedBroker, shippedParts, startShippedBroker } from '../support/shipped-broker.ts';

// Commands that wait for their turn: what may become of them before it comes.

let running: ShippedBroker | undefined;
afterEach(async () => {
  await running?.broker.close();
  running = undefined;
});

const ports: CommandRequest = { kind: 'named', command: 'get-physical-port-state', params: { port_id_list: [2] } };
/** What acme may do to a vPPB of its own that is bound. */
const unbindOwn: CommandRequest = {
  kind: 'named',
  command: 'unbind-vppb',
  params: { vcs_id: 0, vppb_id: 0, option: 'surprise-hot-remove' },
};

const identify: CommandRequest = { kind: 'named', command: 'identify', via: 'port:2' };
const readLabels: CommandRequest = {
  kind: 'named',
  command: 'get-lsa',
  params: { offset: 0, length: 16 },
  via: 'port:2',
};

type Parts = Parameters<typeof startShippedBroker>[0];

/** Holds the device with a command until `release`: a read of the operators unless another one is given. */
async function held(parts: Parts = {}, blocking?: { readonly opcode: number; readonly command: CommandRequest }) {
  const setup = await startShippedBroker(parts);
  running = setup;
  // What the broker reads for itself before it decides must not wait as well.
  expect(await setup.broker.submit(setup.alice, identify)).toMatchObject({ ok: true });
  const gate = Promise.withResolvers<void>();
  const blocked = Promise.withResolvers<void>();
  setup.device.hook = async (request, pass) => {
    if (request.opcode === (blocking?.opcode ?? 0x5101)) {
      setup.device.hook = undefined;
      blocked.resolve();
      await gate.promise;
    }
    return pass();
  };
  const blocker =
    blocking === undefined
      ? setup.broker.submit(setup.olga, ports)
      : setup.broker.submit(setup.alice, blocking.command);
  await blocked.promise;
  setup.broker.requests.length = 0;
  const submit = (caller: Credential, command: CommandRequest, options?: SubmitOptions) =>
    setup.broker.core.submit(caller, 'sw0', command, options);
  const release = async (): Promise<CoreResult<CommandAnswer>> => {
    gate.resolve();
    return blocker;
  };
  return { ...setup, submit, release };
}

/** Until so many commands of a tenant stand in the queue: asked of the metrics, as operators do. */
async function waiting(setup: ShippedBroker, count: number): Promise<void> {
  const operator = await setup.broker.credential('fabric', { subject: 'scraper' });
  await expect
    .poll(async () => /cci_queue_length\{switch="sw0"\} (\d+)/.exec(await setup.broker.core.metrics(operator))?.[1])
    .toBe(`${count}`);
}

const sent = ({ broker }: ShippedBroker) => broker.requests.map(({ opcode }) => opcode);

describe('a command that waited is decided again when meanwhile', () => {
  const cases: readonly {
    readonly what: string;
    readonly blocking?: { readonly opcode: number; readonly command: CommandRequest };
    readonly command?: CommandRequest;
    readonly ttlMs?: number;
    readonly change: (setup: ShippedBroker, revocations: MemoryRevocations) => Promise<unknown>;
    readonly code: string;
  }[] = [
    {
      what: 'the policy took the grant away',
      change: async ({ broker, olga }) => {
        const rows = (shippedParts.grants.get('acme') ?? '').replace('bind-vppb, allow', 'bind-vppb, deny');
        await writeFile(join(broker.directory, 'policies', 'tenants', 'acme.csv'), rows);
        expect(await broker.core.reloadPolicy(olga)).toMatchObject({ ok: true });
      },
      code: 'EPERM',
    },
    {
      what: 'the posture was raised',
      command: readLabels,
      change: ({ broker, olga }) => broker.core.raiseLockdown(olga, 'confidentiality', 'incident'),
      code: 'EPERM',
    },
    {
      what: 'the topology turned out to be another',
      // After a bind the ports and bindings are read again, before the next turn.
      blocking: { opcode: 0x5201, command: bindOwn },
      command: unbindOwn,
      change: async ({ broker: { device } }) => {
        // What the vPPB is bound to now is not acme's.
        device.emulator.control.unbindBehindBack({ vcs: 0, vppb: 0 });
        device.emulator.control.bindBehindBack({ vcs: 0, vppb: 0, port: 5 });
      },
      code: 'EPERM',
    },
    {
      what: 'its token was revoked',
      change: async (_setup, revocations) => revocations.revoke({ kind: 'tenant', tenant: 'acme' }),
      code: 'EAUTH',
    },
    {
      what: 'its token expired',
      // Whole seconds count: it lives for at least one of them.
      ttlMs: 2000,
      change: () => new Promise((done) => setTimeout(done, 2010 - (Date.now() % 1000))),
      code: 'EAUTH',
    },
  ];

  it.each(cases)('$what', async ({ blocking, command = bindOwn, ttlMs, change, code }) => {
    const revocations = new MemoryRevocations();
    const setup = await held({ revocations }, blocking);
    const caller =
      ttlMs === undefined ? setup.alice : await setup.broker.credential('acme', { groups: ['operators'], ttlMs });
    const answer = setup.submit(caller, command);
    await waiting(setup, 1);
    await change(setup, revocations);
    await setup.release();
    expect(await answer).toMatchObject({ ok: false, problem: { code } });
    const opcodes = sent(setup).filter((opcode) => opcode !== blocking?.opcode);
    expect(opcodes).not.toContain(0x5201);
    expect(opcodes).not.toContain(0x5202);
    expect(opcodes).not.toContain(0x5300);
    // Nothing was sent, so there is no intent: the refusal itself is on record.
    await expect
      .poll(async () => (await journalOf(setup.broker)).filter(({ outward }) => outward === code).length)
      .toBe(1);
    const intents = (await journalOf(setup.broker)).filter(({ kind }) => kind === 'intent');
    expect(intents).toHaveLength(blocking === undefined ? 0 : 1);
  });

  it('a command before it moved a binding and nothing else: its record tells of the fabric as it is now', async () => {
    const setup = await held({}, { opcode: 0x5201, command: bindOwn });
    const answer = setup.submit(setup.alice, bindOwn);
    await waiting(setup, 1);
    await setup.release();
    expect(await answer).toMatchObject({ ok: true, value: { returnCodeName: 'invalid-input' } });
    const intents = (await journalOf(setup.broker)).filter(({ kind }) => kind === 'intent');
    expect(intents).toHaveLength(2);
    const [first, second] = intents;
    expect(second?.posture).toEqual(first?.posture);
    expect(Number(second?.topology)).toBeGreaterThan(Number(first?.topology));
  });

  it('nothing changed: it is sent', async () => {
    const setup = await held();
    const answer = setup.submit(setup.alice, bindOwn);
    await waiting(setup, 1);
    await setup.release();
    expect(await answer).toMatchObject({ ok: true });
    expect(sent(setup)).toContain(0x5201);
  });
});

describe('a client that goes away', () => {
  it('while its command waits takes it back: nothing is sent, and the journal says so', async () => {
    const setup = await held();
    const answer = setup.submit(setup.alice, bindOwn, { handle: 'connection-1' });
    const other = setup.submit(setup.alice, ports);
    await waiting(setup, 2);
    await setup.broker.core.cancel('connection-1');
    expect(await answer).toMatchObject({ ok: false, problem: { code: 'EAGAIN' } });
    await waiting(setup, 1);
    await setup.release();
    expect(await other).toMatchObject({ ok: true });
    expect(sent(setup)).not.toContain(0x5201);
    await expect
      .poll(async () => (await journalOf(setup.broker)).find(({ command }) => command === 'bind-vppb'))
      .toMatchObject({
        kind: 'decision',
        verdict: 'allow',
        details: { outcome: 'not-sent', failure: { text: 'the client went away before it was sent' } },
      });
  });

  it('leaves the same command of somebody else expected: that it binds is no fabric that moved by itself', async () => {
    const setup = await held();
    const answer = setup.submit(setup.alice, bindOwn, { handle: 'connection-1' });
    await waiting(setup, 1);
    const other = setup.submit(setup.alice, bindOwn);
    await waiting(setup, 2);
    await setup.broker.core.cancel('connection-1');
    expect(await answer).toMatchObject({ ok: false, problem: { code: 'EAGAIN' } });
    await setup.release();
    expect(await other).toMatchObject({ ok: true });
    await setup.broker.settle();
    const taint = await setup.broker.core.taint(setup.olga);
    expect(taint.ok && taint.value[0]?.letters).not.toContain('X');
    expect(await setup.broker.core.topology(setup.olga, 'sw0')).toMatchObject({ value: { accepted: true } });
  });

  it('while the intent is written takes it back as well: the intent has the outcome `not-sent`', async () => {
    const setup = await held();
    const answer = setup.submit(setup.alice, bindOwn, { handle: 'connection-1' });
    await waiting(setup, 1);
    const { append } = JournalWriter.prototype;
    vi.spyOn(JournalWriter.prototype, 'append').mockImplementation(async function (this: JournalWriter, ...record) {
      const appended = await append.apply(this, record);
      if (record[0] === 'intent') await setup.broker.core.cancel('connection-1');
      return appended;
    });
    await setup.release();
    expect(await answer).toMatchObject({ ok: false, problem: { code: 'EAGAIN' } });
    vi.restoreAllMocks();
    expect(sent(setup)).not.toContain(0x5201);
    const records = await journalOf(setup.broker);
    const intent = records.find(({ kind }) => kind === 'intent');
    expect(records.find(({ kind }) => kind === 'outcome')).toMatchObject({ intent: intent?.seq, outcome: 'not-sent' });
  });

  it('after its command was sent changes nothing any more: it is carried out and recorded as done', async () => {
    const setup = await startShippedBroker();
    running = setup;
    setup.device.hook = async (request, pass) => {
      if (request.opcode === 0x5201) await setup.broker.core.cancel('connection-1');
      return pass();
    };
    const answer = await setup.broker.core.submit(setup.alice, 'sw0', bindOwn, { handle: 'connection-1' });
    expect(answer).toMatchObject({ ok: true, value: { returnCode: 1 } });
    expect((await journalOf(setup.broker)).find(({ kind }) => kind === 'outcome')).toMatchObject({ outcome: 'done' });
    // Nothing is left under the handle, and a name that is nobody's is no error.
    await setup.broker.core.cancel('connection-1');
  });

  it('cannot be two requests: a handle that is in use is refused', async () => {
    const setup = await held();
    const first = setup.submit(setup.alice, ports, { handle: 'same' });
    await waiting(setup, 1);
    expect(await setup.submit(setup.alice, ports, { handle: 'same' })).toMatchObject({
      ok: false,
      problem: { code: 'EPARAM' },
    });
    await setup.release();
    expect(await first).toMatchObject({ ok: true });
  });
});

describe('a deadline of the client', () => {
  it('that passes while the command waits refuses it: not sent, and when to ask again', async () => {
    const setup = await held();
    const answer = await setup.submit(setup.alice, bindOwn, { deadlineMs: 40 });
    expect(answer).toMatchObject({
      ok: false,
      problem: {
        code: 'EAGAIN',
        returnCode: 5,
        detail: 'the command was not sent: its deadline passed before it could be sent',
        retryAfterMs: expect.any(Number),
      },
    });
    await setup.release();
    expect(sent(setup)).not.toContain(0x5201);
    await expect
      .poll(async () => (await journalOf(setup.broker)).find(({ command }) => command === 'bind-vppb'))
      .toMatchObject({ details: { outcome: 'not-sent' } });
  });

  it('does not end a command that was sent in time', async () => {
    const setup = await startShippedBroker();
    running = setup;
    setup.device.hook = async (_request, pass) => {
      await new Promise((done) => setTimeout(done, 550));
      return pass();
    };
    const answer = await setup.broker.core.submit(setup.alice, 'sw0', ports, { deadlineMs: 500 });
    expect(answer).toMatchObject({ ok: true });
  });

  it('that nobody gave is the configured one', async () => {
    const setup = await held({ moreConfig: 'limits: { wait_ms: 500 }' });
    expect(await setup.submit(setup.alice, ports)).toMatchObject({ ok: false, problem: { code: 'EAGAIN' } });
    await setup.release();
  });
});

it('a token that is revoked while its command is being decided sends nothing', async () => {
  const revocations = new MemoryRevocations();
  let asked = false;
  const setup = await startShippedBroker({
    revocations,
    // The engine is asked after the token was looked at, and before anything waits for its turn.
    wrapEngine: (engine) =>
      new Proxy(engine, {
        get(target, name) {
          if (asked) revocations.revoke({ kind: 'tenant', tenant: 'acme' });
          const member: unknown = Reflect.get(target, name, target);
          return typeof member === 'function' ? member.bind(target) : member;
        },
      }),
  });
  running = setup;
  expect(await setup.broker.submit(setup.alice, identify)).toMatchObject({ ok: true });
  setup.broker.requests.length = 0;
  asked = true;
  expect(await setup.broker.submit(setup.alice, bindOwn)).toMatchObject({ ok: false, problem: { code: 'EAUTH' } });
  expect(sent(setup)).not.toContain(0x5201);
});
