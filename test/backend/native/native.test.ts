import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createChardevBackend } from '../../../src/backend/chardev/index.ts';
import { loadNative, type NativeCalls, NativeUnavailableError } from '../../../src/backend/native/index.ts';
import { loadWith } from '../../../src/backend/native/load.ts';
import { failureOf } from '../mailbox/fake-native.ts';

/** These go to the real kernel through the real library: they show that a call arrives and that its errno comes back. */
describe.skipIf(process.platform !== 'linux')('calls to the kernel', () => {
  let native: NativeCalls;
  let directory: string;
  beforeAll(async () => {
    native = await loadNative();
    directory = mkdtempSync(join(tmpdir(), 'native-'));
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  const codeOf = (go: () => unknown): string => {
    try {
      go();
      return 'done';
    } catch (error) {
      return String((error as { code?: unknown }).code);
    }
  };

  test('an ioctl that a file does not know comes back as its errno, by number and by address', () => {
    const fd = native.open('/dev/null', 'read-write');
    expect(codeOf(() => native.ioctl(fd, 0x8008_ce01, new Uint8Array(8)))).toBe('ENOTTY');
    expect(codeOf(() => native.ioctl(fd, 0x3b64, 0))).toBe('ENOTTY');
    native.close(fd);
    native.close(fd);
    expect(codeOf(() => native.ioctl(fd, 0x3b64, 0))).toBe('EBADF');
  });

  test('an ioctl that the kernel knows writes into the bytes that it was given', () => {
    const file = join(directory, 'long');
    writeFileSync(file, 'twelve bytes');
    const fd = native.open(file, 'read');
    // FIONREAD: how many bytes can be read, as an int.
    const answer = new Uint8Array(8).fill(0xee);
    expect(native.ioctl(fd, 0x541b, answer)).toBe(0);
    expect([...answer]).toEqual([12, 0, 0, 0, 0xee, 0xee, 0xee, 0xee]);
    native.close(fd);
  });

  test('the chardev backend gets as far as the kernel with a node that is no mailbox', async () => {
    const failure = await failureOf(createChardevBackend({ path: '/dev/null' }).open());
    expect(failure.what).toBe('EPROTO unsupported');
    expect(failure.message).toContain('/dev/null is no CXL mailbox: it does not know the query (ENOTTY)');
  });

  test('a lock is held against everybody else until its descriptor closes', () => {
    const file = join(directory, 'locked');
    writeFileSync(file, '');
    const first = native.open(file, 'read-write');
    const second = native.open(file, 'read-write');
    expect([native.lock(first), native.lock(second), native.lock(first)]).toEqual([true, false, true]);
    native.close(first);
    expect(native.lock(second)).toBe(true);
    native.close(second);
    expect(codeOf(() => native.lock(second))).toBe('EBADF');
  });

  test('mapped memory is the file, in words of both widths, and nothing outside it is reached', () => {
    const file = join(directory, 'mapped');
    writeFileSync(file, new Uint8Array(8192));
    const fd = native.open(file, 'read-write');
    const memory = native.map(fd, 4096, 4096);
    memory.write32(8, 0xdead_beef);
    memory.write64(16, 0xfedc_ba98_7654_3210n);
    memory.write64(24, 5n);
    expect([memory.read32(8), memory.read32(16), memory.read32(20)]).toEqual([0xdead_beef, 0x7654_3210, 0xfedc_ba98]);
    expect([memory.read64(16), memory.read64(24), memory.read64(8)]).toEqual([
      0xfedc_ba98_7654_3210n,
      5n,
      0xdead_beefn,
    ]);
    expect(Buffer.from(native.read(fd, 4096 + 8, 4)).readUInt32LE()).toBe(0xdead_beef);
    for (const offset of [-4, 2, 4096, 4094, 0.5, Number.NaN, 2 ** 40]) {
      expect(() => memory.read32(offset), `${offset}`).toThrow(RangeError);
      expect(() => memory.write32(offset, 0), `${offset}`).toThrow(RangeError);
    }
    for (const offset of [-8, 4, 4092, 4096]) {
      expect(() => memory.read64(offset), `${offset}`).toThrow(RangeError);
      expect(() => memory.write64(offset, 0n), `${offset}`).toThrow(RangeError);
    }
    for (const value of [-1, 2 ** 32, 0.5]) expect(() => memory.write32(0, value)).toThrow(RangeError);
    for (const value of [-1n, 2n ** 64n]) expect(() => memory.write64(0, value)).toThrow(RangeError);
    memory.release();
    memory.release();
    expect(() => memory.read32(0)).toThrow('the device memory was released');
    native.close(fd);
  });

  test('mapping that the kernel refuses comes back as its errno', () => {
    const fd = native.open('/dev/null', 'read-write');
    expect(codeOf(() => native.map(fd, 0, 4096))).toBe('ENODEV');
    expect(codeOf(() => native.map(fd, 1, 4096))).toBe('EINVAL');
    native.close(fd);
  });

  test('reads and writes at a place in a file, and says when fewer bytes are there', () => {
    const file = join(directory, 'placed');
    writeFileSync(file, 'abcdefgh');
    const fd = native.open(file, 'read-write');
    native.write(fd, 2, Uint8Array.of(0x58, 0x59));
    expect(Buffer.from(native.read(fd, 1, 4)).toString()).toBe('bXYe');
    expect(native.read(fd, 6, 4).length).toBe(2);
    native.close(fd);
  });

  test('an event counter calls back for events, also those before the watch, and never after its end', async () => {
    const fd = native.eventCounter();
    const one = new Uint8Array(new BigUint64Array([1n]).buffer);
    const raise = () => native.write(fd, null as unknown as number, one);
    raise();
    let seen = 0;
    let wake = () => {};
    const stop = native.watchCounter(fd, () => {
      seen++;
      wake();
    });
    const next = () => new Promise<void>((resolve) => (wake = resolve));
    await next();
    expect(seen).toBe(1);
    const again = next();
    raise();
    raise();
    await again;
    expect(seen).toBe(2);
    stop();
    raise();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(seen).toBe(2);
    native.close(fd);
  });

  test('memory for the kernel has an address, and holds what is put there', () => {
    const buffer = native.allocate(8192);
    expect(buffer.address > 0n && buffer.address % 4096n === 0n).toBe(true);
    buffer.bytes.set([1, 2, 3], 8189);
    expect([...buffer.bytes.subarray(8188)]).toEqual([0, 1, 2, 3]);
    buffer.free();
  });
});

test('a machine without the library is told which one, and what to do', async () => {
  const missing = await loadWith(() => Promise.reject(new Error("Cannot find package 'koffi'\nand a stack"))).catch(
    (error: unknown) => error,
  );
  if (!(missing instanceof NativeUnavailableError)) expect.fail(`not the error: ${String(missing)}`);
  expect(missing.code).toBe('ENATIVE');
  expect(missing.message).toContain("(Cannot find package 'koffi')");
  expect(missing.message).toContain('install the broker with its optional packages');
});

test('on another system nothing is loaded', async () => {
  let asked = false;
  const library = () => {
    asked = true;
    return Promise.reject(new Error('never'));
  };
  await expect(loadWith(library, 'darwin')).rejects.toThrow('devices are reached on Linux only');
  expect(asked).toBe(false);
});
