import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { WorkerBackend, WorkerLimits } from '../../../src/backend/worker/index.ts';
import { Device, type DeviceState } from '../../../src/broker/device.ts';
import { deeds, type FakeOptions } from './fake-main.ts';
import { ask, fakeWorker, isAlive, until } from './fake-worker.ts';

const IDENTIFY = 0x0001;
const open: WorkerBackend[] = [];

afterEach(async () => {
  for (const backend of open.splice(0)) await backend.close();
});

async function opened(options: FakeOptions = {}, limits: Partial<WorkerLimits> = {}): Promise<WorkerBackend> {
  const backend = fakeWorker(options, limits);
  open.push(backend);
  await backend.open();
  return backend;
}

function pidOf(backend: WorkerBackend): number {
  const pid = backend.workerPid;
  if (pid === undefined) throw new Error('no worker runs');
  return pid;
}

/** A device is usable again once its backend was closed and opened, as the broker does after a loss. */
async function comesBack(backend: WorkerBackend, formerPid: number): Promise<void> {
  await expect(ask(backend, IDENTIFY)).rejects.toMatchObject({ outcome: 'not-sent' });
  await backend.close();
  expect(await isAlive(formerPid)).toBe(false);
  await backend.open();
  expect(pidOf(backend)).not.toBe(formerPid);
  const payload = Uint8Array.of(1, 2, 3);
  await expect(ask(backend, IDENTIFY, payload)).resolves.toMatchObject({ returnCode: 0, payload });
}

describe('a device in a process of its own', () => {
  it('answers as the device does, errors of the device and refusals of its driver included', async () => {
    const backend = await opened();
    expect(backend).toMatchObject({ maxPayload: 512, maxInFlight: 1, touchesHostHardware: true });
    expect(backend.identity).toEqual({
      ...{ kind: 'fake', description: `fake of process ${pidOf(backend)}`, bootId: 'fake', notes: ['a note'] },
    });
    const payload = Uint8Array.from({ length: 512 }, (_, index) => index & 0xff);
    await expect(ask(backend, IDENTIFY, payload)).resolves.toEqual({
      ...{ returnCode: 0, vendorStatus: 0, background: false, payload },
    });
    await expect(ask(backend, deeds.deviceError)).resolves.toMatchObject({
      ...{ returnCode: 3, vendorStatus: 0xabcd, background: true },
    });
    await expect(ask(backend, deeds.refuseBusy)).rejects.toMatchObject({ code: 'EBUSY', outcome: 'not-sent' });
    await expect(ask(backend, deeds.plainError)).rejects.toMatchObject({ code: 'EIO', outcome: 'unknown' });
    await expect(ask(backend, IDENTIFY)).resolves.toMatchObject({ returnCode: 0 });
  });

  it('carries the largest payload of the largest mailbox', async () => {
    const backend = await opened({ maxPayload: 1 << 20 });
    const payload = new Uint8Array(1 << 20).fill(0xa5);
    const reply = await ask(backend, IDENTIFY, payload);
    expect(Buffer.compare(reply.payload, payload)).toBe(0);
  });

  it('gets a channel and nothing else: no secret of the environment, no descriptors, no arguments', async () => {
    process.env.SECRET_OF_THE_BROKER = 'token';
    // Sockets and files that a broker has open.
    const listener = createServer().listen(0, '127.0.0.1');
    const file = openSync(import.meta.filename, 'r');
    try {
      const backend = await opened({ maxPayload: 4096 });
      const { payload } = await ask(backend, deeds.describeSelf);
      const self = JSON.parse(Buffer.from(payload).toString());
      expect(self).toMatchObject({ folder: '/', arguments: [] });
      expect(Object.keys(self.environment).filter((name) => !name.startsWith('NODE_COMPILE_CACHE'))).toEqual([]);
      const elsewhere = (self.descriptors as [number, string][]).filter(
        ([fd, target]) => fd > 3 && !/^(anon_inode:|pipe:|\/dev\/null)/.test(target),
      );
      expect(elsewhere).toEqual([]);
      expect(self.descriptors.slice(0, 2).map(([, target]: [number, string]) => target)).toEqual([
        '/dev/null',
        '/dev/null',
      ]);
    } finally {
      delete process.env.SECRET_OF_THE_BROKER;
      listener.close();
      closeSync(file);
    }
  });

  it('keeps to the contract of a backend without asking the worker', async () => {
    const backend = fakeWorker();
    open.push(backend);
    await expect(ask(backend, IDENTIFY)).rejects.toMatchObject({ code: 'EINVAL', outcome: 'not-sent' });
    expect(() => backend.identity).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    await backend.open();
    await expect(backend.open()).rejects.toMatchObject({ code: 'EINVAL' });
    await expect(ask(backend, IDENTIFY, new Uint8Array(513))).rejects.toMatchObject({ code: 'EINVAL' });
    await expect(ask(backend, IDENTIFY, new Uint8Array(0), -1)).rejects.toMatchObject({
      ...{ code: 'ETIMEDOUT', outcome: 'not-sent' },
    });
    const first = ask(backend, IDENTIFY);
    await expect(ask(backend, IDENTIFY)).rejects.toMatchObject({ code: 'EBUSY', outcome: 'not-sent' });
    await first;
    await backend.close();
    await backend.close();
    await expect(ask(backend, IDENTIFY)).rejects.toMatchObject({ code: 'EINVAL', outcome: 'not-sent' });
  });

  it('is not ended by a signal that is meant for the broker', async () => {
    const backend = await opened();
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.kill(pidOf(backend), signal);
    await expect(ask(backend, IDENTIFY)).resolves.toMatchObject({ returnCode: 0 });
  });
});

describe('a command whose worker is lost is unknown, and a new worker takes the device', () => {
  it('killed in the middle of the command', async () => {
    const backend = await opened();
    const pid = pidOf(backend);
    const command = ask(backend, deeds.neverAnswer);
    process.kill(pid, 'SIGKILL');
    await expect(command).rejects.toMatchObject({
      code: 'EIO',
      outcome: 'unknown',
      message: expect.stringContaining('SIGKILL'),
    });
    await comesBack(backend, pid);
  });

  it('killed while nothing was in flight: what comes next is not sent', async () => {
    const backend = await opened();
    const pid = pidOf(backend);
    process.kill(pid, 'SIGKILL');
    await until(() => backend.workerPid === undefined);
    await comesBack(backend, pid);
  });

  it.each([
    ['a segmentation fault', deeds.segmentationFault, 'SIGSEGV'],
    ['a bus error of a mapping that was taken away', deeds.busError, 'SIGBUS'],
    ['an exit', deeds.exit, 'exit 5'],
  ])('%s', async (_, deed, how) => {
    const backend = await opened();
    const pid = pidOf(backend);
    await expect(ask(backend, deed)).rejects.toMatchObject({
      ...{ code: 'EIO', outcome: 'unknown', message: expect.stringContaining(how) },
    });
    await comesBack(backend, pid);
  });

  it.each([
    ['stopped by a signal', deeds.neverAnswer, true],
    ['spinning, deaf to its channel', deeds.blockForEver, false],
    ['waiting for ever', deeds.neverAnswer, false],
  ])('%s: killed at its limit', async (_, deed, stop) => {
    const backend = await opened();
    const pid = pidOf(backend);
    if (stop) process.kill(pid, 'SIGSTOP');
    await expect(ask(backend, deed, new Uint8Array(0), 100)).rejects.toMatchObject({
      ...{ code: 'ETIMEDOUT', outcome: 'unknown' },
    });
    await comesBack(backend, pid);
  });

  it.each([
    ['a reply longer than the mailbox', deeds.replyTooLong],
    ['bytes that are no frame', deeds.garbage],
    ['a flood of frames', deeds.floodOfFrames],
    ['an answer to nothing', deeds.answerToNothing],
    ['an answer of another kind', deeds.wrongKind],
    ['the header of four gigabytes', deeds.hugeHeader],
  ])('%s', async (_, deed) => {
    const backend = await opened();
    const pid = pidOf(backend);
    await expect(ask(backend, deed)).rejects.toMatchObject({ code: 'EPROTO', outcome: 'unknown' });
    await comesBack(backend, pid);
  });

  it('survives a worker that prints without end', async () => {
    const backend = await opened();
    // It may die of its closed pipe or go on: the broker keeps neither the text nor the worker waiting.
    await ask(backend, deeds.floodOfText).catch(() => undefined);
    await backend.close();
    await backend.open();
    await expect(ask(backend, IDENTIFY)).resolves.toMatchObject({ returnCode: 0 });
  });
});

describe('opening and closing', () => {
  it.each([
    ['refuses', 'throw', 'EBUSY'],
    ['dies', 'die', 'EIO'],
    ['hangs', 'block', 'ETIMEDOUT'],
    ['tells what is no identity', 'lie', 'EIO'],
  ] as const)('a worker that %s while it opens leaves nothing sent and nobody behind', async (_, atOpen, code) => {
    const backend = fakeWorker({ atOpen }, { openMs: atOpen === 'block' ? 1500 : 30_000, closeMs: 200 });
    const error = await backend.open().then(
      () => undefined,
      (cause: unknown) => cause,
    );
    expect(error).toMatchObject({ code, outcome: 'not-sent' });
    // Texts of a worker go to logs and terminals.
    expect(String(error)).not.toMatch(/\p{Cc}/u);
    expect(backend.workerPid).toBeUndefined();
  });

  it.each(['die', 'block'] as const)('a worker that does `%s` at close is gone afterwards', async (atClose) => {
    const backend = fakeWorker({ atClose }, { closeMs: 200 });
    await backend.open();
    const pid = pidOf(backend);
    await backend.close();
    expect(await isAlive(pid)).toBe(false);
  });

  it('a program that is not there is an error with its reason', async () => {
    const { WorkerBackend: Backend } = await import('../../../src/backend/worker/index.ts');
    const backend = new Backend({ kind: 'fake', options: {}, main: '/nonexistent/main.js' });
    await expect(backend.open()).rejects.toMatchObject({
      ...{ code: 'EIO', outcome: 'not-sent', message: expect.stringContaining('Cannot find module') },
    });
  });

  it('without a descriptor left for a worker the broker lives, and opens the device later', async () => {
    const program = new URL('./starved.ts', import.meta.url).pathname;
    const line = `ulimit -n 60; exec '${process.execPath}' '${program}'`;
    const child = spawn('sh', ['-c', line], { stdio: ['ignore', 'pipe', 'inherit'] });
    let printed = '';
    child.stdout.on('data', (chunk: Buffer) => {
      printed += chunk.toString();
    });
    await new Promise((done) => child.once('close', done));
    expect(printed).toBe('EIO not-sent, then it opened\n');
  });

  it('closing while it opens, or while a command runs, ends both', async () => {
    const backend = fakeWorker({ atOpen: 'block' }, { closeMs: 200 });
    const opening = backend.open();
    await until(() => backend.workerPid !== undefined);
    await backend.close();
    await expect(opening).rejects.toMatchObject({ code: 'EIO', outcome: 'not-sent' });
    const other = await opened({}, { closeMs: 200 });
    const command = ask(other, deeds.neverAnswer);
    const told = expect(command).rejects.toMatchObject({ outcome: 'unknown' });
    await other.close();
    await told;
  });

  it('two processes never have the device at once, however often it is lost', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'switch-cci-worker-'));
    try {
      const lockFile = join(folder, 'lock');
      writeFileSync(lockFile, '');
      const backend = await opened({ lockFile });
      for (let round = 0; round < 4; round++) {
        const command = ask(backend, deeds.neverAnswer);
        process.kill(pidOf(backend), 'SIGKILL');
        await expect(command).rejects.toMatchObject({ outcome: 'unknown' });
        await backend.close();
        await backend.open();
      }
      await expect(ask(backend, IDENTIFY)).resolves.toMatchObject({ returnCode: 0 });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('when the broker is killed', () => {
  it.each([
    ['that waits for commands', 0],
    ['in the middle of a command', deeds.neverAnswer],
    ['that is blocked in its device', deeds.blockForEver],
  ])('a worker %s ends with it', async (_, code) => {
    const parent = spawn(process.execPath, [new URL('./parent.ts', import.meta.url).pathname, String(code)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const pid = await new Promise<number>((done) => {
      parent.stdout.once('data', (chunk: Buffer) => done(Number(chunk.toString())));
    });
    expect(await isAlive(pid)).toBe(true);
    parent.kill('SIGKILL');
    await until(async () => !(await isAlive(pid)));
  });
});

describe('the broker over a worker', () => {
  it('reports the lost command unknown, quarantines the switch and serves again after an Identify', async () => {
    const backend = fakeWorker();
    const states: DeviceState[] = [];
    const device = new Device(backend, {
      ...{ queueMax: 8, timeoutMs: 5000, neverSend: new Map(), onStateChange: (state) => states.push(state) },
    });
    await device.open();
    try {
      const lost = device.own({ hops: [], tags: [], opcode: deeds.neverAnswer, payload: new Uint8Array(0) });
      await new Promise((done) => setTimeout(done, 50));
      process.kill(pidOf(backend), 'SIGKILL');
      expect(await lost).toMatchObject({ kind: 'failed', failure: { outcome: 'unknown' } });
      await until(() => device.state === 'serving');
      const again = await device.own({ hops: [], tags: [], opcode: IDENTIFY, payload: new Uint8Array(0) });
      expect(again.kind).toBe('reply');
      expect(states).toEqual(['serving', 'quarantined', 'serving']);
    } finally {
      await device.close();
    }
  });
});
