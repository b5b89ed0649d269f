import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { BackendError } from '../../src/backend/index.ts';
import { JournalWriter } from '../../src/broker/journal/journal.ts';
import { PostureRegister } from '../../src/taint/index.ts';
import { bindOwn, journalOf, type ShippedBroker, shippedParts, startShippedBroker } from '../support/shipped-broker.ts';

// What may happen between two steps of one command, and what is left behind when one of them fails.

let running: ShippedBroker | undefined;
afterEach(async () => {
  vi.restoreAllMocks();
  await running?.broker.close();
  running = undefined;
});

async function started(...more: Parameters<typeof startShippedBroker>): Promise<ShippedBroker> {
  running = await startShippedBroker(...more);
  return running;
}

/** Does something while an intent is on its way to the disk. */
function duringIntent(act: () => Promise<unknown>): void {
  const { append } = JournalWriter.prototype;
  vi.spyOn(JournalWriter.prototype, 'append').mockImplementation(async function (this: JournalWriter, ...record) {
    const appended = await append.apply(this, record);
    if (record[0] === 'intent') await act();
    return appended;
  });
}

describe('while the intent is written', () => {
  it('a policy that takes the grant away keeps the command from being sent, and the intent has its outcome', async () => {
    const { broker, alice, olga } = await started();
    broker.requests.length = 0;
    duringIntent(async () => {
      const rows = shippedParts.grants.get('acme') ?? '';
      const file = join(broker.directory, 'policies', 'tenants', 'acme.csv');
      await writeFile(file, rows.replace('bind-vppb, allow', 'bind-vppb, deny'));
      expect(await broker.core.reloadPolicy(olga)).toMatchObject({ ok: true });
    });
    expect(await broker.submit(alice, bindOwn)).toMatchObject({ ok: false, problem: { code: 'EPERM' } });
    expect(broker.requests.map(({ opcode }) => opcode)).not.toContain(0x5201);
    const records = await journalOf(broker);
    const intent = records.find(({ kind }) => kind === 'intent');
    expect(records.find(({ kind }) => kind === 'outcome')).toMatchObject({ intent: intent?.seq, outcome: 'not-sent' });
  });

  it('a change that takes nothing away does not hold the command back', async () => {
    const { broker, alice, olga } = await started();
    duringIntent(async () => {
      expect(await broker.core.raiseLockdown(olga, 'integrity', 'end of the change window')).toMatchObject({
        ok: true,
      });
    });
    expect(await broker.submit(alice, bindOwn)).toMatchObject({ ok: true, value: { returnCode: 1 } });
  });
});

describe('a ledger that cannot be written', () => {
  it('loses neither the outcome of a command whose reply was malformed nor the news of the fabric', async () => {
    const { broker, device, alice } = await started();
    vi.spyOn(PostureRegister.prototype, 'taint').mockRejectedValue(new Error('no space left'));
    device.hook = async (request, pass) => {
      const reply = await pass();
      return request.opcode === 0x5201 ? { ...reply, payload: new Uint8Array(3) } : reply;
    };
    expect(await broker.submit(alice, bindOwn)).toMatchObject({ ok: false, problem: { code: 'EIO' } });
    expect(broker.requests.map(({ opcode }) => opcode)).toContain(0x5200);
    expect((await journalOf(broker)).at(-1)).toMatchObject({ kind: 'outcome', outcome: 'done' });
  });
});

describe('a fabric that is not known any more', () => {
  it('is read again until it is known, also where the first reading after the loss fails', async () => {
    const { broker, device, alice } = await started();
    let failures = 2;
    device.hook = async (request, pass) => {
      if (request.opcode === 0x5201) throw new BackendError('ETIMEDOUT', 'unknown', 'no reply');
      if (request.opcode === 0x5101 && failures-- > 0) return { ...(await pass()), returnCode: 0x0004 };
      return pass();
    };
    expect(await broker.submit(alice, bindOwn)).toMatchObject({ ok: false, problem: { code: 'ETIMEDOUT' } });
    device.hook = async (request, pass) => {
      if (request.opcode === 0x5101 && failures-- > 0) return { ...(await pass()), returnCode: 0x0004 };
      return pass();
    };
    await expect.poll(() => broker.submit(alice, bindOwn)).toMatchObject({ ok: true });
    expect(failures).toBeLessThanOrEqual(0);
  });
});

describe('a CEL that declares effects which the catalogue does not know', () => {
  it('taints its component although the command is refused, and once', async () => {
    const { broker, device, alice, olga } = await started();
    device.hook = async (request, pass) => {
      const reply = await pass();
      if (request.opcode !== 0x5300) return reply;
      const payload = reply.payload.slice();
      // Entries of a CEL have four bytes: opcode, effects. Identify Memory Device changes data at once, it says.
      for (let at = 16; at + 3 < payload.length; at += 4) {
        if (payload[at] === 0x00 && payload[at + 1] === 0x40) payload[at + 2] = 0x04;
      }
      return { ...reply, payload };
    };
    const identify = { kind: 'named', command: 'identify-memory-device', via: 'port:2' } as const;
    const letters = async () => {
      const taint = await broker.core.taint(olga);
      return taint.ok
        ? taint.value.flatMap(({ entries }) => entries.map(({ letter, scope }) => `${letter} ${scope}`))
        : [];
    };
    expect(await broker.core.decide(alice, 'sw0', identify)).toMatchObject({ ok: true, value: { class: 'raw' } });
    expect(await letters()).toEqual([]);
    for (let n = 0; n < 3; n++) {
      expect(await broker.submit(alice, identify)).toMatchObject({ ok: false, problem: { code: 'EPERM' } });
    }
    expect(await letters()).toEqual(['E /switches/sw0/ports/2']);
  });
});
