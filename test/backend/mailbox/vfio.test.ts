import { renameSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createVfioBackend, type VfioOptions } from '../../../src/backend/mailbox/index.ts';
import { takes8Bytes } from '../../../src/backend/mailbox/vfio/region.ts';
import { opcode } from '../../../src/cci/index.ts';
import { layOut, type MachineFunction, type MachineTree, QEMU_CCI } from '../devices/machine-tree.ts';
import { configOfCci, FakeNative, failureOf } from './fake-native.ts';
import { type FakeDevice, FakeRegisters } from './fake-registers.ts';
import { FakeVfio, type VfioShape } from './fake-vfio.ts';

const IDENTIFY = opcode(0x0001);
const BOUND: MachineFunction = { ...QEMU_CCI, driver: 'vfio-pci' };
const MSI = 1;
const MSI_X = 2;
const REQUEST = 4;
let trees: MachineTree[] = [];
let native: FakeNative;

beforeEach(() => {
  trees = [];
  native = new FakeNative();
});
afterEach(() => {
  for (const tree of trees) tree.remove();
});

interface Setup {
  readonly shape?: VfioShape;
  readonly device?: FakeDevice;
  readonly functions?: readonly MachineFunction[];
  readonly dev?: readonly string[];
  readonly options?: VfioOptions;
}

function machine({
  shape = {},
  device = {},
  functions = [BOUND],
  dev = ['vfio/vfio', 'vfio/4'],
  options = {},
}: Setup = {}) {
  const tree = layOut({ functions, dev });
  trees.push(tree);
  const registers = new FakeRegisters({ run: (_, payload) => ({ payload }), ...device });
  const vfio = new FakeVfio(native, registers, tree.paths.dev, shape);
  const make = () => createVfioBackend(options, { native: async () => native, paths: tree.paths });
  const backend = make();
  const ask = (payload = new Uint8Array(0), one = backend) =>
    one.execute({ opcode: IDENTIFY, payload }, performance.now() + 10_000);
  const command = () => vfio.config[4];
  return { tree, registers, vfio, backend, make, ask, command };
}

test('the function is taken through its group, mapped, driven, and given back whole', async () => {
  const { backend, ask, registers, vfio, command } = machine();
  await backend.open();
  expect(backend.touchesHostHardware).toBe(true);
  expect(backend.identity).toEqual({
    kind: 'mailbox/vfio',
    description: 'Switch CCI at 0000:0d:00.1 through VFIO, IOMMU group 4',
    bootId: '8a7c1f7e-0000-4000-8000-0123456789ab',
    notes: [],
  });
  expect((await ask(Uint8Array.of(1, 2, 3, 4, 5))).payload).toEqual(Uint8Array.of(1, 2, 3, 4, 5));
  // Memory decoding only: the mailbox is not asked to write to memory.
  expect(command()).toBe(2);
  expect(registers.accesses.every(({ width }) => width === 4 || width === 8)).toBe(true);
  expect(vfio.isHeld).toBe(true);
  await backend.close();
  expect([vfio.isHeld, native.open_.size, native.counters.size]).toEqual([false, 0, 0]);
  await backend.open();
  expect((await ask()).returnCode).toBe(0);
  await backend.close();
});

test('a second broker is refused in a sentence, and gets the device once the first has let go', async () => {
  const { backend, make, ask } = machine();
  await backend.open();
  const second = make();
  const failure = await failureOf(second.open());
  expect(failure.what).toBe('EBUSY in-use');
  expect(failure.message).toContain('another process has');
  expect((await ask()).returnCode).toBe(0);
  await backend.close();
  await second.open();
  await second.close();
  expect(native.open_.size).toBe(0);
});

test('an IOMMU that offers only the older kind will do', async () => {
  const { backend } = machine({ shape: { kinds: [1] } });
  await backend.open();
  await backend.close();
});

describe('interrupts', () => {
  const slow: FakeDevice = { pollsUntilClear: Number.POSITIVE_INFINITY, doorbellMessage: 2 };

  test.each([
    ['MSI-X', MSI_X, { 1: 4, 2: 8 }],
    ['MSI', MSI, { 1: 4 }],
  ])('%s: a command ends when its message comes, and the device is polled far less', async (_, index, counts) => {
    const { backend, ask, registers, vfio, command } = machine({ shape: { counts }, device: slow });
    await backend.open();
    expect([...vfio.counters.keys()]).toEqual([`${index}/2`]);
    // A message is a write to memory, which bus mastering allows.
    expect(command()).toBe(6);
    const running = ask(Uint8Array.of(7));
    await new Promise((resolve) => setTimeout(resolve, 60));
    registers.finish();
    vfio.interrupt(index, 2);
    expect((await running).payload).toEqual(Uint8Array.of(7));
    const polls = registers.accesses.filter(({ op, offset }) => op === 'read' && offset === 0x8c).length;
    expect(polls).toBeLessThan(55);
    await backend.close();
    expect(native.counters.size).toBe(0);
  });

  const polled: [name: string, setup: Setup][] = [
    ['the device has no vectors, as the emulated one', { device: slow }],
    ['they are switched off', { shape: { counts: { 2: 8 } }, device: slow, options: { interrupts: false } }],
    ['the message is past the vectors', { shape: { counts: { 2: 2 } }, device: slow }],
    ['they can not be counted', { shape: { counts: { 2: 8 }, irqFlags: 0 }, device: slow }],
    ['the kernel knows fewer kinds', { shape: { counts: { 2: 8 }, irqs: 1 }, device: slow }],
  ];
  test.each(polled)('the mailbox is polled when %s', async (_, setup) => {
    const { backend, ask, registers, vfio } = machine(setup);
    await backend.open();
    expect(vfio.counters.size).toBe(0);
    const running = ask(Uint8Array.of(7));
    while (registers.rung === 0) await new Promise((resolve) => setImmediate(resolve));
    registers.finish();
    expect((await running).payload).toEqual(Uint8Array.of(7));
    await backend.close();
  });

  test('a kernel that refuses to deliver them is polled', async () => {
    const { backend, ask, registers } = machine({ shape: { counts: { 2: 8 } }, device: slow });
    native.failing.set('ioctl 3b6e', 'ENOSPC');
    await backend.open();
    const running = ask();
    while (registers.rung === 0) await new Promise((resolve) => setImmediate(resolve));
    registers.finish();
    expect((await running).returnCode).toBe(0);
    await backend.close();
  });
});

test('when the kernel wants the device back, no further command is sent', async () => {
  const { backend, ask, registers, vfio } = machine({ shape: { counts: { [REQUEST]: 1 } } });
  await backend.open();
  await ask();
  vfio.interrupt(REQUEST, 0);
  const failure = await failureOf(ask());
  expect(failure.message).toContain('the kernel wants 0000:0d:00.1 back');
  expect(registers.rung).toBe(1);
  await backend.close();
  expect(vfio.isHeld).toBe(false);
});

test('a function that was removed is not sent to', async () => {
  const { backend, ask, tree } = machine();
  await backend.open();
  const directory = join(tree.paths.sys, 'bus/pci/devices', BOUND.address);
  renameSync(directory, `${directory}-gone`);
  expect((await failureOf(ask())).message).toContain('was removed from this machine');
  await backend.close();
});

describe('a BAR that can not be mapped', () => {
  test.skipIf(!takes8Bytes(release()))('is read and written by calls of the exact width', async () => {
    const { backend, ask, registers } = machine({ shape: { barFlags: 3 } });
    await backend.open();
    expect(backend.identity.notes).toEqual(['the BAR can not be mapped: each register access is a system call']);
    expect((await ask(Uint8Array.of(1, 2, 3))).payload).toEqual(Uint8Array.of(1, 2, 3));
    const stores = registers.accesses.filter(({ op, offset }) => op === 'write' && offset === 0x90);
    expect(stores.map(({ width }) => width)).toEqual([8]);
    await backend.close();
  });

  test.skipIf(!takes8Bytes(release()))('that the kernel refuses to map after all is read by calls', async () => {
    const { backend, ask } = machine();
    native.failing.set('mmap', 'EINVAL');
    await backend.open();
    expect((await ask()).returnCode).toBe(0);
    await backend.close();
  });

  test('is refused on kernels that split an 8-byte store', () => {
    expect(['6.11.2', '5.15.0-91-generic', '6.1', 'unknown'].map(takes8Bytes)).toEqual([false, false, false, false]);
    expect(['6.12.0', '6.18.44-x', '7.3.4', '10.0'].map(takes8Bytes)).toEqual([true, true, true, true]);
  });

  const areas: [name: string, shape: VfioShape, isMapped: boolean][] = [
    ['the registers lie in an area that may be mapped', { areas: [[0, 0x1000]] }, true],
    ['the areas are elsewhere', { areas: [[0x8000, 0x1000]] }, false],
    ['there are no areas', { areas: [] }, false],
    ['the list of capabilities loops', { areas: [[0, 0x1000]], loopingCapabilities: true }, true],
  ];
  test.each(areas)('%s', async (_, shape, isMapped) => {
    const { backend, ask } = machine({ shape });
    await backend.open();
    expect((backend.identity.notes ?? []).length).toBe(isMapped ? 0 : 1);
    expect((await ask()).returnCode).toBe(0);
    await backend.close();
  });
});

describe('what stands in the way is named', () => {
  const usb: MachineFunction = { address: '0000:0e:00.0', class: '0x0c0330', driver: 'xhci_hcd', group: 4 };
  const port: MachineFunction = { address: '0000:0d:00.0', class: '0x060400', driver: 'pcieport', group: 4 };
  const memory: MachineFunction = { address: '0000:0f:00.0', class: '0x050210', driver: 'cxl_pci', group: 4 };
  const cases: [name: string, setup: Setup, fail: readonly [string, string] | undefined, what: string, says: string][] =
    [
      [
        'no IOMMU',
        { functions: [{ ...BOUND, group: undefined as never }] },
        undefined,
        'EIO no-iommu',
        'this machine has no IOMMU in use',
      ],
      [
        'an IOMMU that leaves it out',
        { functions: [{ ...BOUND, group: undefined as never }, usb] },
        undefined,
        'EIO no-iommu',
        'does not cover this function',
      ],
      [
        'no driver',
        { functions: [QEMU_CCI] },
        undefined,
        'EIO vfio-not-ready',
        'driver_override; echo 0000:0d:00.1 > ',
      ],
      [
        'another driver',
        { functions: [{ ...QEMU_CCI, driver: 'cxl_switch' }] },
        undefined,
        'EIO vfio-not-ready',
        'the driver `cxl_switch` has 0000:0d:00.1; bind it',
      ],
      ['VFIO not loaded', {}, ['open /vfio/vfio', 'ENOENT'], 'EIO vfio-not-ready', 'modprobe vfio-pci'],
      ['VFIO not loaded, but a node', {}, ['open /vfio/vfio', 'ENODEV'], 'EIO vfio-not-ready', 'modprobe vfio-pci'],
      [
        'only the newer interface',
        { dev: ['iommu'] },
        ['open /vfio/vfio', 'ENOENT'],
        'EPROTO unsupported',
        '(iommufd), which this broker does not use',
      ],
      ['no right to VFIO', {}, ['open /vfio/vfio', 'EACCES'], 'EIO permission', 'run the broker as root'],
      ['another error of VFIO', {}, ['open /vfio/vfio', 'EMFILE'], 'EIO system-call', 'EMFILE'],
      ['another version', { shape: { apiVersion: 1 } }, undefined, 'EPROTO unsupported', 'version 1'],
      ['a version that can not be asked', {}, ['ioctl 3b64', 'ENOTTY'], 'EIO system-call', 'does not tell its version'],
      ['no right to the group', {}, ['open /vfio/4', 'EPERM'], 'EIO permission', 'give its user the file'],
      ['no node for the group', {}, ['open /vfio/4', 'ENOENT'], 'EIO vfio-not-ready', 'is /dev complete'],
      [
        'a group without an IOMMU behind it',
        { dev: ['vfio/vfio', 'vfio/noiommu-4'] },
        ['open /vfio/4', 'ENOENT'],
        'EIO no-iommu',
        'gives no isolation and is not used',
      ],
      ['a group state that can not be read', {}, ['ioctl 3b67', 'EINVAL'], 'EIO system-call', 'EINVAL'],
      ['a container that takes no group', {}, ['ioctl 3b68', 'EBUSY'], 'EBUSY in-use', 'EBUSY'],
      ['no IOMMU kind', { shape: { kinds: [] } }, undefined, 'EIO no-iommu', 'modprobe vfio_iommu_type1'],
      ['no kind that can be asked', {}, ['ioctl 3b65', 'EIO'], 'EIO no-iommu', 'modprobe vfio_iommu_type1'],
      ['an IOMMU that can not be set', {}, ['ioctl 3b66', 'EPERM'], 'EIO permission', 'EPERM'],
      ['the device is open elsewhere', {}, ['ioctl 3b6a', 'EBUSY'], 'EBUSY in-use', 'has 0000:0d:00.1 open'],
      ['the device is withheld', {}, ['ioctl 3b6a', 'EPERM'], 'EIO permission', 'does not give 0000:0d:00.1'],
      ['the device can not be opened', {}, ['ioctl 3b6a', 'ENODEV'], 'EIO system-call', 'ENODEV'],
      ['a device that tells nothing', {}, ['ioctl 3b6b', 'EFAULT'], 'EIO system-call', 'EFAULT'],
      ['regions that are not told', {}, ['ioctl 3b6c', 'EINVAL'], 'EIO system-call', 'does not tell region 7'],
      ['a device without its BARs', { shape: { regions: 0 } }, undefined, 'EIO system-call', 'does not tell region 7'],
      [
        'a BAR that is read-only',
        { shape: { barFlags: 5 } },
        undefined,
        'EPROTO unsupported',
        'not there, or too small',
      ],
      ['a BAR of no size', { shape: { barBytes: 0 } }, undefined, 'EPROTO unsupported', 'not there, or too small'],
      [
        'registers past the BAR',
        { shape: { config: configOfCci({ 268: 0x0001_0300 }) } },
        undefined,
        'EPROTO unsupported',
        'not there, or too small',
      ],
      [
        'no register locator',
        { shape: { config: configOfCci({ 260: 0x0240_0000 }) } },
        undefined,
        'EPROTO BackendError',
        'the CXL register locator of the function is missing',
      ],
      [
        'a configuration space that ends',
        { shape: { config: new Uint8Array(0) } },
        undefined,
        'EIO removed',
        'can not be read any more',
      ],
      ['mapping not permitted', {}, ['mmap', 'EPERM'], 'EIO permission', 'EPERM'],
      ['no memory', {}, ['mmap', 'ENOMEM'], 'EIO system-call', 'ENOMEM'],
      [
        'a group that is not viable',
        { shape: { viable: false }, functions: [BOUND, port, usb, memory] },
        undefined,
        'EBUSY group-not-viable',
        'IOMMU group 4 of 0000:0d:00.1 holds devices that this host uses: 0000:0e:00.0 (driver xhci_hcd; ',
      ],
      [
        'a group that is not viable though no member shows why',
        { shape: { viable: false } },
        undefined,
        'EBUSY group-not-viable',
        'one of its members has a driver',
      ],
    ];
  test.each(cases)('%s', async (_, setup, fail, what, says) => {
    const { backend, tree, vfio } = machine(setup);
    if (fail !== undefined) native.failing.set(fail[0].replace('open /', `open ${tree.paths.dev}/`), fail[1]);
    const failure = await failureOf(backend.open());
    expect(failure.what).toBe(what);
    expect(failure.message).toContain(says);
    // Whatever was opened on the way is closed again.
    expect([native.open_.size, native.counters.size, vfio.isHeld]).toEqual([0, 0, false]);
  });

  test('every member of a group in the way, and how to free it, but not the bridges', async () => {
    const { backend } = machine({ shape: { viable: false }, functions: [BOUND, port, usb, memory] });
    const { message } = await failureOf(backend.open());
    expect(message).toContain('0000:0f:00.0 (driver cxl_pci; `echo 0000:0f:00.0 > ');
    expect(message).toContain('0000:0f:00.0/driver/unbind`)');
    expect(message).not.toContain('0000:0d:00.0 (');
  });
});
