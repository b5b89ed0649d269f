import Schema from 'typebox/schema';
import { afterEach, describe, expect, test } from 'vitest';
import { BackendError } from '../../../src/backend/index.ts';
import { createQtestBackend, QtestOptions } from '../../../src/backend/mailbox/index.ts';
import { planMachine, qemuArguments } from '../../../src/backend/mailbox/qtest/options.ts';
import { opcode } from '../../../src/cci/index.ts';
import { bridge, FakeFunction, FakeMachine, switchCci } from './fake-machine.ts';
import { FakeQtestServer, type Tampering } from './fake-qtest-server.ts';
import { type FakeDevice, FakeRegisters } from './fake-registers.ts';

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function joined(machine: FakeMachine, options: { root_bus?: number; open_timeout_ms?: number } = {}) {
  const server = await FakeQtestServer.start((line) => machine.answer(line));
  const backend = createQtestBackend({ socket: server.path, ...options });
  cleanups.push(
    () => server.stop(),
    () => backend.close(),
  );
  return { backend, server };
}

async function withSwitch(device: FakeDevice = { run: (_, payload) => ({ payload }) }) {
  const registers = new FakeRegisters(device);
  const { machine, cci } = FakeMachine.withSwitch(registers);
  return { ...(await joined(machine)), machine, cci, registers };
}

const send = (backend: ReturnType<typeof createQtestBackend>, payload = new Uint8Array(0), timeoutMs = 10_000) =>
  backend.execute({ opcode: opcode(0x5101), payload }, performance.now() + timeoutMs);

async function failure(work: Promise<unknown>): Promise<BackendError> {
  const error = await work.then(
    () => expect.fail('it succeeded'),
    (reason: unknown) => reason,
  );
  return error instanceof BackendError ? error : expect.fail(`not a BackendError: ${String(error)}`);
}

describe('joining', () => {
  test('the CCI is found by its class, behind bridges that had no numbers, and answers commands', async () => {
    const { backend, registers } = await withSwitch();
    await backend.open();
    expect(backend.identity.kind).toBe('mailbox/qtest');
    expect(backend.identity.description).toMatch(/Switch CCI at 0d:00\.1$/);
    expect((await send(backend, Uint8Array.of(1, 2, 3, 4, 5))).payload).toEqual(Uint8Array.of(1, 2, 3, 4, 5));
    expect(
      registers.accesses.filter(({ op, width, offset }) => op === 'write' && (width === 8) !== (offset === 0x90)),
    ).toEqual([]);
  });

  test('every bridge gets bus numbers, and only the ones above the CCI a window', async () => {
    const { backend, machine } = await withSwitch();
    await backend.open();
    const rootPort = machine.roots.get(12)?.get('0.0');
    const upstream = rootPort?.below.get('0.0');
    const numbers = [rootPort, upstream, ...(upstream?.below.values() ?? [])].map((fn) => fn?.config[6]?.toString(16));
    expect(numbers).toEqual(['110d0c', '110e0d', 'f0f0e', '10100e', '11110e']);
    expect(rootPort?.decodesMemory).toBe(true);
    expect(upstream?.decodesMemory).toBe(false);
  });

  test('a 2 KiB payload travels in 4-byte accesses, and the command register gets one 8-byte store', async () => {
    const { backend, machine } = await withSwitch();
    await backend.open();
    machine.lines.length = 0;
    const payload = Uint8Array.from({ length: 2048 }, (_, index) => index & 0xff);
    expect((await send(backend, payload)).payload).toEqual(payload);
    const count = (verb: string) => machine.lines.filter((line) => line.startsWith(`${verb} `)).length;
    expect([count('writel'), count('writeq'), count('readl'), count('readq')]).toEqual([512 + 1, 1, 512 + 2, 3]);
    expect(machine.lines.every((line) => /^(read|write)[lq] /.test(line))).toBe(true);
  });

  test('the boot id stays over a reopen and differs for a QEMU that was started anew', async () => {
    const { backend, server } = await withSwitch();
    await backend.open();
    const first = backend.identity.bootId;
    await backend.close();
    await backend.open();
    expect(backend.identity.bootId).toBe(first);
    const other = await withSwitch();
    await other.backend.open();
    expect(other.backend.identity.bootId).not.toBe(first);
    await server.stop();
    expect((await failure(send(backend))).outcome).toBe('not-sent');
  });

  test('a CCI on a root port of the main bus is found as well, and another root bus by its number', async () => {
    for (const [rootBus, expected] of [
      [0, /at 01:00\.0$/],
      [40, /at 29:00\.0$/],
    ] as const) {
      const machine = new FakeMachine();
      const rootPort = machine.add(rootBus, '5.0', bridge());
      rootPort.below.set('0.0', switchCci(new FakeRegisters()));
      const { backend } = await joined(machine, { root_bus: 40 });
      await backend.open();
      expect(backend.identity.description).toMatch(expected);
    }
  });
});

describe('a machine that has no usable CCI is refused', () => {
  test.each<[string, (machine: FakeMachine, cci: FakeFunction) => void, RegExp]>([
    ['no function of the class', (_, cci) => cci.config.set([0x0604_0000], 2), /no Switch CCI/],
    [
      'two of them',
      (machine) => machine.add(0, '3.0', switchCci(new FakeRegisters())),
      /several Switch CCIs: 00:03\.0, 0d:00\.1/,
    ],
    ['another host bridge', (machine) => machine.add(0, '0.0', new FakeFunction(0x1237_8086, 0x060000)), /not a q35/],
    ['no extended capabilities', (_, cci) => cci.config.fill(0, 0x40), /is missing/],
    ['a capability list that loops', (_, cci) => cci.config.set([0x1001_0001], 0x40), /broken capability list/],
    [
      'a capability list that leaves the extended space',
      (_, cci) => cci.config.set([0x0401_0001], 0x40),
      /broken capability list/,
    ],
    [
      'no device registers in the locator',
      (_, cci) => cci.config.set([0x0000_0100], 0x55),
      /names no device register block/,
    ],
    ['two of them in the locator', (_, cci) => cci.config.set([0x0000_0300], 0x53), /two device register blocks/],
    ['a BAR number that does not exist', (_, cci) => cci.config.set([0x0000_0306], 0x55), /cannot exist/],
    ['registers past the BAR', (_, cci) => cci.config.set([0x0001_0300], 0x55), /outside their BAR/],
    ['an I/O BAR', (_, cci) => cci.config.set([0x0000_0301], 0x55), /is not memory/],
    ['a BAR of 4 GiB', (_, cci) => void Object.assign(cci, { barMask: 0x8 }), /too large/],
  ])('%s', async (_, change, message) => {
    const { backend, machine, cci } = await withSwitch();
    change(machine, cci);
    const error = await failure(backend.open());
    expect(error.message).toMatch(message);
    expect(error.outcome).toBe('not-sent');
  });

  test('bridges without end', async () => {
    const machine = new FakeMachine();
    let place = machine.add(12, '0.0', bridge()).below;
    for (let depth = 0; depth < 260; depth++) {
      const next = bridge();
      place.set('0.0', next);
      place = next.below;
    }
    const { backend } = await joined(machine);
    expect((await failure(backend.open())).message).toMatch(/no bus number is left/);
  });
});

describe('protocol faults', () => {
  const split = (answer: string): Tampering => ({ text: `IRQ raise 3\nIRQ lower 3\n${answer}\r\n` });

  test('notices and carriage returns between answers are skipped', async () => {
    const { backend, server } = await withSwitch();
    server.tamper = (_, __, answer) => split(answer);
    await backend.open();
    expect((await send(backend, Uint8Array.of(9))).payload).toEqual(Uint8Array.of(9));
  });

  test('answers that arrive in pieces are put together', async () => {
    const { backend, server } = await withSwitch();
    for (const chunkBytes of [1, 7, 23]) {
      server.chunkBytes = chunkBytes;
      await backend.open();
      expect((await send(backend, Uint8Array.of(9, 8, 7))).payload).toEqual(Uint8Array.of(9, 8, 7));
      await backend.close();
    }
  });

  test.each<[string, Tampering, string, RegExp]>([
    ['a refusal', { text: "FAIL Unknown command 'readq'\n" }, 'EIO', /refused a qtest request: `FAIL/],
    ['an unknown word', { text: 'HELLO\n' }, 'EIO', /refused a qtest request/],
    ['no number', { text: 'OK 0xzz\n' }, 'EIO', /not a number/],
    ['an answer without the value', { text: 'OK\n' }, 'EIO', /not a number/],
    ['17 digits', { text: `OK 0x${'1'.repeat(17)}\n` }, 'EIO', /not a number/],
    ['a line that does not end', { text: 'O'.repeat(5000) }, 'EIO', /does not end/],
    ['a line that is too long', { text: `OK ${'0'.repeat(5000)}\n` }, 'EIO', /too long/],
    ['an answer nobody asked for', { text: 'OK 0x0\nOK 0x0\n' }, 'EIO', /nobody asked for/],
    ['the end of the connection', 'close', 'EIO', /closed by QEMU/],
    ['nothing', 'silence', 'ETIMEDOUT', /no answer/],
  ])('a status read answered by %s makes the command unknown', async (_, tampering, code, message) => {
    const { backend, server } = await withSwitch();
    await backend.open();
    // Offset 98h is the status register: the doorbell has been rung by then.
    server.tamper = (__, line) => (/^readq 0x[0-9a-f]+98$/.test(line) ? tampering : undefined);
    const error = await failure(send(backend, new Uint8Array(0), tampering === 'silence' ? 700 : 10_000));
    expect([error.code, error.outcome]).toEqual([code, 'unknown']);
    expect(error.message).toMatch(message);
    const again = await failure(send(backend));
    expect([again.code, again.outcome]).toEqual(['EIO', 'not-sent']);
    server.tamper = () => undefined;
    await backend.close();
    await backend.open();
    expect((await send(backend)).returnCode).toBe(0);
  });

  test('a 4-byte load answered by more than 32 bits, and a store answered by a value, are refused before sending', async () => {
    for (const [pattern, text, message] of [
      [/^readl 0x[0-9a-f]+8c$/, 'OK 0x100000000\n', /over 32 bits/],
      [/^writeq /, 'OK 0x0\n', /a value after a store/],
    ] as const) {
      const { backend, registers, server } = await withSwitch();
      await backend.open();
      server.tamper = (_, line) => (pattern.test(line) ? { text } : undefined);
      const error = await failure(send(backend));
      expect([error.code, error.outcome]).toEqual(['EIO', 'not-sent']);
      expect(error.message).toMatch(message);
      expect(registers.rung).toBe(0);
    }
  });

  test('a socket that nobody serves, and one that is not there, are EIO', async () => {
    const { backend, server } = await withSwitch();
    await server.stop();
    expect((await failure(backend.open())).code).toBe('EIO');
    expect((await failure(createQtestBackend({ socket: '/nonexistent/qtest' }).open())).code).toBe('EIO');
  });

  test('a QEMU that serves another client gives up after open_timeout_ms', async () => {
    const { machine } = FakeMachine.withSwitch(new FakeRegisters());
    const { backend, server } = await joined(machine, { open_timeout_ms: 200 });
    server.tamper = () => 'silence';
    const error = await failure(backend.open());
    expect([error.code, error.outcome]).toEqual(['ETIMEDOUT', 'not-sent']);
  });

  test('closing while it opens ends the opening', async () => {
    const { backend, server } = await withSwitch();
    server.tamper = (index) => (index > 20 ? 'silence' : undefined);
    const opening = failure(backend.open());
    await new Promise((resolve) => setTimeout(resolve, 50));
    await backend.close();
    expect((await opening).outcome).toBe('not-sent');
  });
});

describe('options', () => {
  const check = (value: unknown): boolean => Schema.Compile(QtestOptions).Check(value);

  test.each<[unknown, boolean]>([
    [{ socket: '/run/qtest' }, true],
    [{ spawn: {} }, true],
    [{ spawn: { ports: 4, devices: [1, { port: 3, serial: '0x7' }] }, root_bus: 20, open_timeout_ms: 5000 }, true],
    [{}, false],
    [{ socket: '/run/qtest', spawn: {} }, false],
    [{ socket: '' }, false],
    [{ socket: `/${'x'.repeat(107)}` }, false],
    [{ spawn: { ports: 29 } }, false],
    [{ spawn: { devices: [0] } }, false],
    [{ spawn: { switch_serial: '1,id=x' } }, false],
    [{ spawn: { args: ['-S'] } }, false],
  ])('%j is accepted: %s', (value, expected) => {
    expect(check(value)).toBe(expected);
  });

  test('a device below a port that is not there, or two below one, are refused before anything starts', () => {
    for (const devices of [[4], [1, 1], [1, { port: 1 }]]) {
      expect(() => createQtestBackend({ spawn: { ports: 3, devices } })).toThrow(BackendError);
    }
  });

  test('the arguments start QEMU with stopped CPUs, without KVM, and with what the options say', () => {
    const plan = planMachine({ ports: 2, devices: [{ port: 2, serial: '0xabc' }] }, 30);
    const args = qemuArguments(plan, 'unix:/x').join(' ');
    expect(args).toMatch(/ -S -accel tcg /);
    expect(args).toMatch(/pxb-cxl,bus_nr=30,/);
    expect(args.match(/cxl-downstream,port=\d+/g)).toEqual(['cxl-downstream,port=1', 'cxl-downstream,port=2']);
    expect(args.match(/cxl-type3,bus=dsp\d+,[^ ]*/g)).toEqual([
      'cxl-type3,bus=dsp2,volatile-memdev=vmem2,id=mem2,sn=0xabc',
    ]);
    expect(args).toMatch(/-qtest unix:\/x /);
  });

  test('without a word about devices, a small switch has only those that fit', () => {
    expect(planMachine({ ports: 1 }, 12).devices).toEqual([{ port: 1, serial: '0xc0ffee01' }]);
  });

  test('a QEMU that can not be run, or ends at once, is EIO with its last words', async () => {
    for (const [binary, message] of [
      ['/nonexistent/qemu', /could not be run/],
      ['false', /QEMU ended \(exit code 1\)/],
      ['ls', /QEMU ended \(exit code 2\): .*-/],
    ] as const) {
      const error = await failure(createQtestBackend({ spawn: { binary } }).open());
      expect([error.code, error.outcome]).toEqual(['EIO', 'not-sent']);
      expect(error.message).toMatch(message);
    }
  });
});
