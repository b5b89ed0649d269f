import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BackendError, type CciReply } from '../../../src/backend/index.ts';
import { createQtestBackend, type MailboxBackend } from '../../../src/backend/mailbox/index.ts';
import { planMachine, qemuArguments } from '../../../src/backend/mailbox/qtest/options.ts';
import { onPath } from '../../../src/backend/mailbox/qtest/qemu-process.ts';
import { opcode } from '../../../src/cci/index.ts';
import { describeWithQemu } from '../../support/qemu.ts';
import { bytes, CEL_UUID, EXCHANGES, hex } from './qemu-exchanges.ts';

const ask = (backend: MailboxBackend, command: number, request = ''): Promise<CciReply> =>
  backend.execute({ opcode: opcode(command), payload: bytes(request) }, performance.now() + 5000);

async function failure(work: Promise<unknown>): Promise<BackendError> {
  const error = await work.catch((reason: unknown) => reason);
  return error instanceof BackendError ? error : expect.fail(`no BackendError: ${String(error)}`);
}

describeWithQemu('a QEMU of our own', ({ version }) => {
  // Replies differ in details from version to version; these were measured on 10.0.
  const exact = version.startsWith('10.0.');
  let backend: MailboxBackend;
  beforeAll(async () => {
    backend = createQtestBackend({ spawn: {} });
    await backend.open();
  });
  afterAll(() => backend.close());

  test('what is known after open', () => {
    expect(backend.identity.kind).toBe('mailbox/qtest');
    expect(backend.identity.description).toBe(
      'QEMU of our own over qtest, 3 ports, 2 memory devices, Switch CCI at 0d:00.1',
    );
    expect(backend.maxPayload).toBe(2048);
    expect(backend.touchesHostHardware).toBe(false);
  });

  test.each(EXCHANGES)('$name', async (exchange) => {
    const reply = await ask(backend, exchange.opcode, exchange.request);
    expect(reply.returnCode).toBe(exchange.returnCode);
    expect(reply.vendorStatus).toBe(0);
    if (exact) {
      expect(hex(reply.payload)).toBe(exchange.reply.replace(/\s/g, ''));
      expect(reply.background).toBe(false);
    } else if (exchange.reply === '') expect(reply.payload.length).toBe(0);
  });

  test('tunnels nest: Identify in a tunnel to LD 0 in a tunnel to port 1', async () => {
    const inner = '00 00 0c00 00 2c 00 0100 000000 0000 0000';
    const reply = await ask(backend, 0x5300, `01 00 1c00 00 2b 00 0053 100000 0000 0000 ${inner}`);
    expect(reply.returnCode).toBe(0);
    expect(reply.payload.length).toBe(50);
    expect(hex(reply.payload.subarray(32, 48))).toBe('8680930df41a001101eeffc000000000');
  });

  test('nothing runs in the background', async () => {
    const status = await backend.readBackgroundStatus(performance.now() + 5000);
    expect(status).toMatchObject({ opcode: 0, returnCode: 0, vendorStatus: 0 });
  });

  test('2,000 commands in a row give 2,000 right replies', async () => {
    const first = hex((await ask(backend, 0x5100)).payload);
    for (let round = 0; round < 1000; round++) {
      expect((await ask(backend, 0x0001)).payload.length).toBe(18);
      expect(hex((await ask(backend, 0x5100)).payload)).toBe(first);
    }
  });
});

describeWithQemu('topologies of a QEMU of our own', () => {
  test('ports, devices and serial numbers are those of the options', async () => {
    const backend = createQtestBackend({
      spawn: { ports: 5, devices: [{ port: 4, serial: '0xdeadbeef01020304' }, 5], switch_serial: '0x99' },
      root_bus: 32,
    });
    try {
      await backend.open();
      expect(backend.identity.description).toMatch(/5 ports, 2 memory devices, Switch CCI at 21:00\.1$/);
      expect(hex((await ask(backend, 0x0001)).payload.subarray(8, 16))).toBe('9900000000000000');
      expect((await ask(backend, 0x5100)).payload[2]).toBe(6);
      const tunnelled = await ask(backend, 0x5300, '04 00 0c00 00 2b 00 0100 000000 0000 0000');
      expect(hex(tunnelled.payload.subarray(24, 32))).toBe('04030201efbeadde');
    } finally {
      await backend.close();
    }
  });

  test('the largest switch that the options allow opens', async () => {
    const backend = createQtestBackend({
      spawn: { ports: 28, devices: Array.from({ length: 28 }, (_, index) => index + 1) },
    });
    try {
      await backend.open();
      expect((await ask(backend, 0x5100)).payload[2]).toBe(29);
      const tunnelled = await ask(backend, 0x5300, '1c 00 0c00 00 2b 00 0100 000000 0000 0000');
      expect(hex(tunnelled.payload.subarray(24, 32))).toBe('1ceeffc000000000');
    } finally {
      await backend.close();
    }
  });

  test('each start is a boot of its own, and close leaves no QEMU behind', async () => {
    const backend = createQtestBackend({ spawn: { ports: 1 } });
    await backend.open();
    const first = backend.identity.bootId;
    const pids = childPids();
    expect(pids.length).toBeGreaterThan(0);
    await backend.close();
    expect(childPids().filter((pid) => pids.includes(pid))).toEqual([]);
    await backend.open();
    expect(backend.identity.bootId).not.toBe(first);
    await backend.close();
  });
});

const setpriv = onPath('setpriv');

describeWithQemu('a broker that is killed', () => {
  test.skipIf(setpriv === undefined)(
    `takes its QEMU along${setpriv === undefined ? ' (needs setpriv)' : ''}`,
    async () => {
      const index = new URL('../../../src/backend/mailbox/index.ts', import.meta.url).href;
      const script = `
      const { createQtestBackend } = await import(${JSON.stringify(index)});
      await createQtestBackend({ spawn: { ports: 1 } }).open();
      console.log('open');
      setInterval(() => {}, 1000);`;
      const broker = spawn(process.execPath, ['--input-type=module', '-e', script], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await once(broker.stdout, 'data');
      const [qemu] = childPids(broker.pid);
      expect(qemu).toBeDefined();
      broker.kill('SIGKILL');
      await once(broker, 'exit');
      await expect.poll(() => isRunning(qemu)).toBe(false);
    },
  );
});

describeWithQemu('a running QEMU that is joined by its socket', ({ binary }) => {
  let directory: string;
  let qemu: ChildProcess;
  let path: string;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'joined-qemu-'));
    path = join(directory, 'qtest');
    const args = qemuArguments(planMachine({ binary }, 12), `unix:${path},server=on,wait=off`);
    const trace = ['-trace', 'memory_region_ops_*', '-D', join(directory, 'trace')];
    qemu = spawn(binary, [...args, ...trace], { stdio: 'ignore' });
    await listening(path);
  });
  afterAll(() => {
    qemu.kill('SIGKILL');
    rmSync(directory, { recursive: true, force: true });
  });

  test('one boot id, over any number of opens', async () => {
    const backend = createQtestBackend({ socket: path });
    const ids = new Set<string>();
    for (let round = 0; round < 3; round++) {
      await backend.open();
      ids.add(backend.identity.bootId);
      expect((await ask(backend, 0x0001)).returnCode).toBe(0);
      await backend.close();
    }
    expect(ids.size).toBe(1);
  });

  test('a second client gets no answer while the first holds the socket', async () => {
    const first = createQtestBackend({ socket: path });
    const second = createQtestBackend({ socket: path, open_timeout_ms: 500 });
    await first.open();
    const error = await failure(second.open());
    expect([error.code, error.outcome]).toEqual(['ETIMEDOUT', 'not-sent']);
    expect((await ask(first, 0x0001)).returnCode).toBe(0);
    await first.close();
  });

  test('on the bus: one 8-byte store of the command register, 4-byte doorbell, nothing narrower anywhere', async () => {
    const backend = createQtestBackend({ socket: path });
    await backend.open();
    const before = cciAccesses(join(directory, 'trace')).length;
    await ask(backend, 0x0401, `${CEL_UUID} 00000000 24000000`);
    await backend.close();
    const accesses = cciAccesses(join(directory, 'trace')).slice(before);
    const stores = accesses.filter(({ op }) => op === 'write');
    // 24 bytes of payload, the command register, the doorbell; offsets from the start of BAR 0.
    expect(stores.map(({ offset, width }) => `${offset.toString(16)}/${width}`)).toEqual([
      'a8/4',
      'ac/4',
      'b0/4',
      'b4/4',
      'b8/4',
      'bc/4',
      '90/8',
      '8c/4',
    ]);
    const loads = accesses
      .filter(({ op }) => op === 'read')
      .map(({ offset, width }) => `${offset.toString(16)}/${width}`);
    expect(loads).toEqual([
      '8c/4',
      '8c/4',
      '98/8',
      '90/8',
      'a8/4',
      'ac/4',
      'b0/4',
      'b4/4',
      'b8/4',
      'bc/4',
      'c0/4',
      'c4/4',
      'c8/4',
      '90/8',
    ]);
  });
});

describeWithQemu('what a broker has to keep away from QEMU', () => {
  test('a raw 0300h aborts it: the command is unknown, the reason is told, and a reopened machine works', async () => {
    const backend = createQtestBackend({ spawn: {} });
    await backend.open();
    const startMs = performance.now();
    const error = await failure(ask(backend, 0x0300));
    expect(performance.now() - startMs).toBeLessThan(5000);
    expect([error.code, error.outcome]).toEqual(['EIO', 'unknown']);
    expect(error.message).toMatch(/SIGABRT/);
    expect((await failure(ask(backend, 0x0001))).outcome).toBe('not-sent');
    await backend.close();
    await backend.open();
    expect((await ask(backend, 0x0001)).returnCode).toBe(0);
    await backend.close();
  });
});

/** Processes whose parent is the one given, or this one. */
function childPids(parent: number | undefined = process.pid): string[] {
  return readFileSync(`/proc/${parent}/task/${parent}/children`, 'utf8').trim().split(' ').filter(Boolean);
}

/** Whether the process exists and is not just waiting for its parent to ask how it ended. */
function isRunning(pid: string | undefined): boolean {
  try {
    return !/^State:\s*Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

async function listening(path: string): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const isUp = await new Promise<boolean>((resolve) => {
      const socket = connect(path, () => {
        socket.destroy();
        resolve(true);
      });
      socket.once('error', () => resolve(false));
    });
    if (isUp) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error('QEMU did not open its qtest socket');
}

/** Accesses to BAR 0 of the CCI in a trace of QEMU, in order. The BAR lies where the driver placed it. */
function cciAccesses(trace: string): { op: string; offset: number; width: number }[] {
  const lines = readFileSync(trace, 'utf8').matchAll(
    /memory_region_ops_(read|write) .* addr (0xe0000[0-9a-f]{3}) .* size (\d)/g,
  );
  return Array.from(lines, ([, op = '', address, width]) => ({
    op,
    offset: Number(address) - 0xe000_0000,
    width: Number(width),
  }));
}
