import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ChardevOptions, createChardevBackend } from '../../../src/backend/chardev/index.ts';
import { BackendError } from '../../../src/backend/index.ts';
import { NativeUnavailableError } from '../../../src/backend/native/index.ts';
import { opcode } from '../../../src/cci/index.ts';
import { layOut, type MachineTree } from '../devices/machine-tree.ts';
import { FakeNative, failureOf } from '../mailbox/fake-native.ts';
import { FakeKernel, type FakeMailbox } from './fake-kernel.ts';

const NODE = '/dev/cxl/switch0';
const GET_LOG = opcode(0x0401);
let native: FakeNative;
let tree: MachineTree;

beforeEach(() => {
  native = new FakeNative();
  tree = layOut({});
});
afterEach(() => tree.remove());

async function opened(mailbox: FakeMailbox = {}, options: Partial<ChardevOptions> = {}) {
  const kernel = new FakeKernel(native, mailbox);
  native.files.set(NODE, () => kernel);
  const backend = make(options);
  await backend.open();
  const send = (code: number, payload = new Uint8Array(0), timeoutMs = 10_000) =>
    backend.execute({ opcode: opcode(code), payload }, performance.now() + timeoutMs);
  return { kernel, backend, send };
}

function make(options: Partial<ChardevOptions> = {}) {
  return createChardevBackend(
    { path: NODE, max_payload: 512, ...options },
    { native: async () => native, paths: tree.paths },
  );
}

test('what the kernel lists goes by its id, and the reply is the bytes of the device', async () => {
  const { kernel, backend, send } = await opened({ run: (_, payload) => ({ payload }), raw: false });
  expect(backend.touchesHostHardware).toBe(true);
  expect(backend.maxInFlight).toBe(1);
  expect(backend.identity.kind).toBe('chardev');
  expect(backend.identity.description).toBe('Switch CCI at /dev/cxl/switch0');
  expect(backend.identity.notes?.[0]).toContain('a kernel driver owns this mailbox');
  const request = Uint8Array.from({ length: 0x18 }, (_, index) => index);
  expect(await send(GET_LOG, request)).toEqual({ returnCode: 0, vendorStatus: 0, background: false, payload: request });
  expect(kernel.warned).toBe(false);
  await backend.close();
  await backend.close();
  expect([native.open_.size, native.buffers.every(({ isFreed }) => isFreed)]).toEqual([0, true]);
});

test('what it does not list goes as a raw command, where it was built for that', async () => {
  const { kernel, send } = await opened({ raw: true, run: () => ({ payload: Uint8Array.of(1, 2, 3) }) });
  expect((await send(0x5100)).payload).toEqual(Uint8Array.of(1, 2, 3));
  expect([kernel.ran, kernel.warned]).toEqual([[0x5100], true]);
});

test('a driver that lists more than mainline is told by the configuration', async () => {
  const { kernel, send } = await opened({ raw: false, enabled: [7] }, { command_ids: { '0x5100': 7 } });
  await send(0x5100);
  // The fake has 4200h at id 7: what matters is that no raw command was sent.
  expect([kernel.ran, kernel.warned]).toEqual([[0x4200], false]);
});

test("a device's error is a completed call without payload, whatever the kernel leaves in the buffer", async () => {
  const { send } = await opened({ raw: true, run: () => ({ returnCode: 0x0016, payload: Uint8Array.of(9) }) });
  expect(await send(0x5101, Uint8Array.of(1))).toEqual({
    returnCode: 0x16,
    vendorStatus: 0,
    background: false,
    payload: new Uint8Array(0),
  });
});

test('the output has room for the whole mailbox, or for what the kernel wants', async () => {
  const { send } = await opened({ raw: true, enabled: [21], run: () => ({ payload: new Uint8Array(600).fill(7) }) });
  expect((await send(0x5100)).payload).toEqual(new Uint8Array(512).fill(7));
  expect((await send(0x0300)).payload).toEqual(new Uint8Array(8).fill(7));
});

const refusals: [name: string, mailbox: FakeMailbox, code: number, payload: number, what: string][] = [
  ['raw commands not built in', { raw: false }, 0x5100, 0, 'EINVAL not-sent'],
  ['the kernel locked down', { raw: true, lockedDown: true }, 0x5100, 0, 'EINVAL not-sent'],
  ['an opcode that is never raw', { raw: true }, 0x0202, 0, 'EINVAL not-sent'],
  ['a security command', { raw: true }, 0x4500, 0, 'EINVAL not-sent'],
  ["a command that the device's CEL has not", { raw: true }, 0x4200, 0, 'EINVAL not-sent'],
  ['a command that the kernel keeps', { enabled: [10], exclusive: [10] }, 0x4103, 12, 'EBUSY not-sent'],
  ['an input of the wrong size', {}, 0x0401, 3, 'EINVAL not-sent'],
  ['a payload that the kernel inspects and refuses', { enabled: [23] }, 0x0403, 16, 'EBUSY not-sent'],
  ['a busy mailbox', { raw: true, trouble: 'busy' }, 0x5100, 0, 'EBUSY not-sent'],
  ['a mailbox that does not answer', { raw: true, trouble: 'timeout' }, 0x5100, 0, 'ETIMEDOUT unknown'],
  [
    'a background operation, which goes on',
    { raw: true, run: () => ({ background: true }) },
    0x5201,
    8,
    'ETIMEDOUT unknown',
  ],
  ['a mailbox smaller than configured', { raw: true, payloadSize: 256 }, 0x5100, 300, 'EINVAL not-sent'],
  ['more output than there is room for', { raw: true, claims: 513 }, 0x5100, 0, 'EPROTO unknown'],
  ['a return code of over 16 bits', { raw: true, run: () => ({ returnCode: 0x1_0000 }) }, 0x5100, 0, 'EPROTO unknown'],
];
test.each(refusals)('%s', async (_, mailbox, code, length, what) => {
  const { kernel, send } = await opened(mailbox);
  const error = await send(code, new Uint8Array(length)).catch((caught: unknown) => caught);
  if (!(error instanceof BackendError)) expect.fail(`not a BackendError: ${String(error)}`);
  expect(`${error.code} ${error.outcome}`).toBe(what);
  // What is said to be not sent was not sent.
  if (error.outcome === 'not-sent') expect(kernel.ran).toEqual([]);
});

test.each([
  ['ENXIO', 'EIO not-sent'],
  ['ENODEV', 'EIO not-sent'],
  ['EFAULT', 'EIO unknown'],
  ['EINTR', 'EIO unknown'],
])('%s of the call is %s', async (errno, what) => {
  const { send } = await opened({ raw: true });
  native.failing.set('ioctl c030ce02', errno);
  const error = await send(0x5100).catch((caught: unknown) => caught);
  expect(error instanceof BackendError && `${error.code} ${error.outcome}`).toBe(what);
});

test('what can not be sent never reaches the kernel', async () => {
  const { backend, kernel, send } = await opened({ raw: true });
  expect((await failureOf(send(0x5100, new Uint8Array(513)))).what).toBe('EINVAL BackendError');
  expect((await failureOf(send(0x5100, new Uint8Array(0), -1))).what).toBe('ETIMEDOUT BackendError');
  expect((await failureOf(send(0x5100, new Uint8Array(0), Number.NaN))).what).toBe('ETIMEDOUT BackendError');
  const wide = { opcode: 0x1_0000 as ReturnType<typeof opcode>, payload: new Uint8Array(0) };
  expect((await failureOf(backend.execute(wide, performance.now() + 10_000))).what).toBe('EINVAL BackendError');
  expect(kernel.ran).toEqual([]);
  expect((await failureOf(backend.open())).what).toBe('EINVAL BackendError');
  await backend.close();
  expect(() => backend.identity).toThrow(BackendError);
  expect(backend.maxPayload).toBe(0);
  expect((await failureOf(send(0x5100))).what).toBe('EINVAL BackendError');
});

describe('opening', () => {
  const cases: [name: string, fail: readonly [string, string], what: string, says: string][] = [
    ['no such node', [`open ${NODE}`, 'ENOENT'], 'EIO not-found', 'mainline Linux has no driver for a Switch CCI'],
    ['no right', [`open ${NODE}`, 'EACCES'], 'EIO permission', 'run the broker as root'],
    ['another error', [`open ${NODE}`, 'EMFILE'], 'EIO system-call', 'EMFILE'],
    ['no CXL mailbox', ['ioctl 8008ce01', 'ENOTTY'], 'EPROTO unsupported', 'is no CXL mailbox'],
    ['a device that is gone', ['ioctl 8008ce01', 'ENXIO'], 'EIO removed', 'is gone (ENXIO)'],
    ['a query that fails', ['ioctl 8008ce01', 'EFAULT'], 'EIO system-call', 'EFAULT'],
  ];
  test.each(cases)('%s', async (_, [call, errno], what, says) => {
    native.files.set(NODE, () => new FakeKernel(native));
    native.failing.set(call, errno);
    const failure = await failureOf(make().open());
    expect(failure.what).toBe(what);
    expect(failure.message).toContain(says);
    expect(native.open_.size).toBe(0);
  });

  test('without the native library', async () => {
    const parts = { native: () => Promise.reject(new NativeUnavailableError(new Error('gone'))), paths: tree.paths };
    expect((await failureOf(createChardevBackend({ path: NODE }, parts).open())).what).toBe('EIO no-native-library');
  });

  test.each([
    ['4096\n', 4096],
    ['100\n', 256],
    ['frog\n', 256],
    ['4194304\n', 256],
  ])('the payload size is what the driver says (%j), if it can be one', async (text, bytes) => {
    const directory = join(tree.paths.sys, 'bus/cxl/devices/switch0');
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, 'payload_max'), text);
    native.files.set(NODE, () => new FakeKernel(native));
    const backend = createChardevBackend({ path: NODE }, { native: async () => native, paths: tree.paths });
    await backend.open();
    expect(backend.maxPayload).toBe(bytes);
    await backend.close();
  });
});

test('any command ends in a reply or a BackendError, and nothing outside the buffers is given to the kernel', async () => {
  const { send, kernel } = await opened({ raw: true, enabled: [7, 10, 21, 23], run: (_, payload) => ({ payload }) });
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: 0xffff }), fc.uint8Array({ maxLength: 520 }), async (code, payload) => {
      const result = await send(code, payload).catch((error: unknown) => error);
      if (result instanceof BackendError) expect(result.outcome).toBe('not-sent');
      else expect(Object.keys(result as object)).toContain('returnCode');
    }),
    { numRuns: 150 },
  );
  expect(kernel.ran.length).toBeGreaterThan(0);
});
