import { readFileSync, renameSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createSysfsBackend, type SysfsOptions } from '../../../src/backend/mailbox/index.ts';
import { NativeUnavailableError } from '../../../src/backend/native/index.ts';
import { opcode } from '../../../src/cci/index.ts';
import { layOut, type Machine, type MachineFunction, type MachineTree, QEMU_CCI } from '../devices/machine-tree.ts';
import { configOfCci, FakeNative, failureOf, memoryOf } from './fake-native.ts';
import { FakeRegisters } from './fake-registers.ts';

const IDENTIFY = opcode(0x0001);
let trees: MachineTree[] = [];
let native: FakeNative;

beforeEach(() => {
  trees = [];
  native = new FakeNative();
});
afterEach(() => {
  for (const tree of trees) tree.remove();
});

/** A machine with one Switch CCI, and what drives it. */
function machine(change: Partial<MachineFunction> = {}, rest: Machine = {}) {
  const tree = layOut({ functions: [{ ...QEMU_CCI, config: configOfCci(), ...change }], ...rest });
  trees.push(tree);
  const directory = join(tree.paths.sys, 'bus/pci/devices', change.address ?? QEMU_CCI.address);
  const registers = new FakeRegisters({ run: (_, payload) => ({ payload }) });
  const file = join(directory, 'resource0');
  native.files.set(file, () => ({ map: (offset, bytes) => memoryOf(registers, offset, bytes) }));
  const backend = (options: SysfsOptions = {}) =>
    createSysfsBackend(options, { native: async () => native, paths: tree.paths });
  const ask = (one = backend(), payload = new Uint8Array(0)) =>
    one.execute({ opcode: IDENTIFY, payload }, performance.now() + 10_000);
  return { tree, directory, registers, file, backend, ask };
}

test('the registers are found through the locator, locked, mapped, and driven', async () => {
  const { backend, ask, file, registers, tree } = machine();
  const one = backend();
  await one.open();
  expect(one.touchesHostHardware).toBe(true);
  expect(one.identity.kind).toBe('mailbox/sysfs');
  expect(one.identity.description).toBe(`Switch CCI at 0000:0d:00.1 through ${file}`);
  expect(one.identity.bootId).toBe('8a7c1f7e-0000-4000-8000-0123456789ab');
  expect(native.locked).toEqual(new Set([file]));
  expect((await ask(one, Uint8Array.of(1, 2, 3, 4, 5))).payload).toEqual(Uint8Array.of(1, 2, 3, 4, 5));
  expect(
    registers.accesses.filter(({ op, offset, width }) => op === 'write' && offset === 0x90 && width === 8).length,
  ).toBe(1);
  await one.close();
  expect([native.open_.size, native.locked.size]).toEqual([0, 0]);
  await one.open();
  await one.close();
  expect(tree.paths.sys).toContain(tree.root);
});

test('an operator is told that the lock keeps out brokers only', async () => {
  const { backend } = machine();
  const one = backend();
  await one.open();
  expect(one.identity.notes).toHaveLength(1);
  expect(one.identity.notes?.[0]).toContain('the lock on the BAR file keeps out other brokers only');
  await one.close();
});

test('a second broker is refused in a sentence, and the first goes on', async () => {
  const { backend, ask } = machine();
  const first = backend();
  await first.open();
  const failure = await failureOf(backend().open());
  expect(failure.what).toBe('EBUSY locked');
  expect(failure.message).toContain('another process holds the lock');
  expect((await ask(first)).returnCode).toBe(0);
  await first.close();
  expect(native.open_.size).toBe(0);
});

test('a function that is switched off is switched on, and that is said', async () => {
  const { backend, directory } = machine({ enable: '0' });
  const one = backend();
  await one.open();
  expect(readFileSync(join(directory, 'enable'), 'utf8')).toBe('1');
  expect(one.identity.notes?.[1]).toContain('1 was written to');
  await one.close();
});

test('registers that begin later in the BAR are mapped from there on', async () => {
  const { backend, ask, file, registers } = machine({ config: configOfCci({ 268: 0x0001_0300 }), bar: 0x1_1000 });
  const mapped: number[] = [];
  native.files.set(file, () => ({
    map: (offset, bytes) => {
      mapped.push(offset, bytes);
      return memoryOf(registers, offset - 0x1_0000, bytes);
    },
  }));
  const one = backend();
  await one.open();
  expect(mapped).toEqual([0x1_0000, 0x1000]);
  expect((await ask(one, Uint8Array.of(9))).payload).toEqual(Uint8Array.of(9));
  await one.close();
});

describe('what stands in the way is named', () => {
  const cases: [name: string, change: Partial<MachineFunction>, prepare: () => void, what: string, says: string][] = [
    [
      'a kernel driver',
      { driver: 'cxl_switch' },
      () => {},
      'EBUSY driver-bound',
      'the driver `cxl_switch` has 0000:0d:00.1',
    ],
    ['vfio-pci', { driver: 'vfio-pci' }, () => {}, 'EBUSY driver-bound', 'use the backend `vfio`'],
    ['another class', { class: '0x010802' }, () => {}, 'EINVAL not-a-switch-cci', 'its class is 010802'],
    ['a class that is no number', { class: 'frog' }, () => {}, 'EINVAL not-a-switch-cci', 'its class is 000000'],
    [
      'a BAR of ports',
      { flags: '0x0000000000040101' },
      () => {},
      'EPROTO unsupported',
      'BAR 0 of 0000:0d:00.1 is not memory',
    ],
    ['a BAR without a place', { bar: 0 }, () => {}, 'EPROTO unsupported', "has no place in this machine's memory map"],
    [
      'no memory decoding',
      { config: configOfCci({ 4: 0 }) },
      () => {},
      'EPROTO unsupported',
      'does not decode memory accesses',
    ],
    [
      'no register locator',
      { config: configOfCci({ 260: 0x0240_1e97 }) },
      () => {},
      'EPROTO BackendError',
      'the CXL register locator of the function is missing',
    ],
    [
      'registers past the BAR',
      { config: configOfCci({ 268: 0x0001_0300 }) },
      () => {},
      'EPROTO unsupported',
      'outside their BAR',
    ],
    [
      'a configuration space cut off at 64 bytes',
      { config: new Uint8Array(64) },
      () => {},
      'EIO permission',
      'CAP_SYS_ADMIN',
    ],
    [
      'a file that may not be opened',
      {},
      () => native.failing.set('open', 'EACCES'),
      'EIO permission',
      'run the broker as root',
    ],
    [
      'opening forbidden by the kernel',
      {},
      () => native.failing.set('open', 'EPERM'),
      'EIO lockdown',
      'use the backend `vfio`',
    ],
    ['another error of opening', {}, () => native.failing.set('open', 'EMFILE'), 'EIO system-call', 'EMFILE'],
    [
      'a VFIO owner',
      {},
      () => native.failing.set('mmap', 'EINVAL'),
      'EBUSY in-use',
      'has claimed this memory for itself',
    ],
    [
      'mapping not permitted',
      {},
      () => native.failing.set('mmap', 'EACCES'),
      'EIO permission',
      'run the broker as root',
    ],
    ['no memory', {}, () => native.failing.set('mmap', 'ENOMEM'), 'EIO system-call', 'ENOMEM'],
    ['a lock that fails', {}, () => native.failing.set('flock', 'ENOLCK'), 'EIO BackendError', 'flock failed: ENOLCK'],
  ];
  test.each(cases)('%s', async (_, change, prepare, what, says) => {
    const { backend } = machine(change);
    prepare();
    const one = backend({ address: QEMU_CCI.address });
    const failure = await failureOf(one.open());
    expect(failure.what).toBe(what);
    expect(failure.message).toContain(says);
    // Nothing is left open, and a later try starts afresh.
    expect(native.open_.size).toBe(0);
    native.failing.clear();
    await one.close();
  });

  test.each([
    ['integrity', 'the kernel is locked down (integrity)'],
    ['confidentiality', 'the kernel is locked down (confidentiality)'],
    ['none', 'the kernel or a security module forbids'],
    [undefined, 'the kernel or a security module forbids'],
  ])("the kernel's EPERM under lockdown %s is explained, with what to do", async (lockdown, says) => {
    const { backend } = machine({}, lockdown === undefined ? {} : { lockdown });
    native.failing.set('mmap', 'EPERM');
    const failure = await failureOf(backend().open());
    expect(failure.what).toBe('EIO lockdown');
    expect(failure.message).toContain(says);
    expect(failure.message).toContain('bind the function to vfio-pci and use the backend `vfio`');
  });

  test('a function that is not there', async () => {
    const { backend } = machine();
    const failure = await failureOf(backend({ address: '0000:0e:00.0' }).open());
    expect(failure.what).toBe('EIO not-found');
    expect(failure.message).toContain('`cci devices` lists');
  });

  test('two Switch CCIs and none named', async () => {
    const second = { ...QEMU_CCI, address: '0000:1d:00.1', config: configOfCci() };
    const { backend } = machine({}, { functions: [{ ...QEMU_CCI, config: configOfCci() }, second] });
    expect((await failureOf(backend().open())).message).toContain('(0000:0d:00.1, 0000:1d:00.1)');
    expect((await failureOf(backend({ address: '0000:1d:00.1' }).open())).what).toBe('EIO system-call');
  });

  test('no Switch CCI, or no PCI at all', async () => {
    expect((await failureOf(machine({}, { functions: [] }).backend().open())).message).toContain('has no Switch CCI');
    const { backend, tree } = machine();
    renameSync(join(tree.paths.sys, 'bus/pci'), join(tree.paths.sys, 'bus/other'));
    expect((await failureOf(backend().open())).what).toBe('EIO not-found');
  });

  test('a broker without the native library says so and stays usable', async () => {
    const { tree } = machine();
    const one = createSysfsBackend(
      {},
      { native: () => Promise.reject(new NativeUnavailableError(new Error('Cannot find package'))), paths: tree.paths },
    );
    const failure = await failureOf(one.open());
    expect(failure.what).toBe('EIO no-native-library');
    expect(failure.message).toContain("the optional package `koffi` can't be loaded");
    await one.close();
  });
});

describe('a function that leaves while we have it', () => {
  const lost: [name: string, leave: (directory: string, file: string) => void, says: string][] = [
    ['removed', (directory) => renameSync(directory, `${directory}-gone`), 'was removed from this machine'],
    [
      'removed and back with another file',
      (_, file) => {
        renameSync(file, `${file}-old`);
        symlinkSync(import.meta.filename, file);
      },
      'was removed from this machine',
    ],
    ['given to a driver', (directory) => symlinkSync('/', join(directory, 'driver')), 'a driver was bound'],
  ];
  test.each(lost)('%s: the next command is not sent, though the mapping still answers', async (_, leave, says) => {
    const { backend, ask, directory, file, registers } = machine();
    const one = backend();
    await one.open();
    await ask(one);
    leave(directory, file);
    const rung = registers.rung;
    registers.accesses.length = 0;
    const failure = await failureOf(ask(one, Uint8Array.of(1, 2, 3, 4)));
    expect(failure.what).toBe('EIO BackendError');
    expect(failure.message).toContain(says);
    expect(registers.rung).toBe(rung);
    expect(registers.accesses.filter(({ op }) => op === 'write')).toEqual([]);
    await one.close();
  });
});

test('closing while it opens leaves nothing open', async () => {
  const { backend } = machine();
  const one = backend();
  const opening = failureOf(one.open());
  await one.close();
  expect((await opening).what).toBe('EIO BackendError');
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect([native.open_.size, native.locked.size]).toEqual([0, 0]);
});

test('nothing is reached before it is open', async () => {
  const { backend, ask } = machine();
  expect((await failureOf(ask(backend()))).what).toBe('EINVAL BackendError');
});
