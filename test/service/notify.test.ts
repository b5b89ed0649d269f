import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { findServiceManager, type ServiceManager } from '../../src/service/index.ts';
import { canNotify, listenForNotes } from '../support/notify-socket.ts';

function socketPath(): string {
  const directory = mkdtempSync(join(tmpdir(), 'notify-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  return join(directory, 'socket');
}

async function managerAt(env: NodeJS.ProcessEnv): Promise<ServiceManager> {
  const found = await findServiceManager(env);
  if (found.kind !== 'manager') throw new Error(JSON.stringify(found));
  onTestFinished(() => found.manager.close());
  return found.manager;
}

test('without a service manager there is nobody to tell', async () => {
  expect(await findServiceManager({})).toEqual({ kind: 'none' });
  expect(await findServiceManager({ NOTIFY_SOCKET: '' })).toEqual({ kind: 'none' });
});

test.skipIf(!canNotify)('a service manager hears of each step, one message each', async () => {
  const path = socketPath();
  const told = listenForNotes(path);
  const env = { NOTIFY_SOCKET: path, WATCHDOG_USEC: '3000000', WATCHDOG_PID: String(process.pid), HOME: '/root' };
  const manager = await managerAt(env);
  expect(env).toEqual({ HOME: '/root' });
  expect(manager.watchdogMs).toBe(1500);
  manager.ready('serving sw0\nat 127.0.0.1:8420');
  manager.alive();
  manager.reloading();
  manager.stopping();
  const [ready, alive, reloading, stopping, ...rest] = told();
  expect(ready).toBe('READY=1\nSTATUS=serving sw0 at 127.0.0.1:8420');
  expect(alive).toBe('WATCHDOG=1');
  expect(reloading).toMatch(/^RELOADING=1\nMONOTONIC_USEC=\d+$/);
  expect(stopping).toMatch(/^STOPPING=1\n/);
  expect(rest).toEqual([]);
  manager.close();
  manager.close();
  manager.alive();
  expect(told()).toEqual([]);
});

test.skipIf(!canNotify)('a socket in the abstract namespace is reached as well', async () => {
  const path = `@cci-notify-${process.pid}`;
  const told = listenForNotes(path);
  const manager = await managerAt({ NOTIFY_SOCKET: path });
  expect(manager.watchdogMs).toBeUndefined();
  manager.ready('x');
  expect(told()).toHaveLength(1);
});

test.skipIf(!canNotify)('a watchdog that is meant for another process is left alone', async () => {
  const path = socketPath();
  listenForNotes(path);
  const manager = await managerAt({ NOTIFY_SOCKET: path, WATCHDOG_USEC: '3000000', WATCHDOG_PID: '1' });
  expect(manager.watchdogMs).toBeUndefined();
});

test.skipIf(!canNotify)('a manager that goes away, or does not read, ends nothing', async () => {
  const path = socketPath();
  listenForNotes(path);
  const manager = await managerAt({ NOTIFY_SOCKET: path });
  // Its queue holds some; the rest is dropped. A send that waited would stop the broker.
  for (let i = 0; i < 10_000; i++) manager.alive();
});

test.skipIf(!canNotify)('a socket that is not there is said in words', async () => {
  const gone = await findServiceManager({ NOTIFY_SOCKET: '/nowhere/notify' });
  expect(gone).toEqual({ kind: 'unreachable', why: 'its socket cannot be reached (errno 2)' });
});

test.each(['relative/socket', `/${'x'.repeat(200)}`, '/a\0b'])('`%s` is no address', async (path) => {
  expect(await findServiceManager({ NOTIFY_SOCKET: path })).toMatchObject({ kind: 'unreachable' });
});
