import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { canNotify, listenForNotes } from '../support/notify-socket.ts';

const launcher = fileURLToPath(new URL('../../bin/cci.js', import.meta.url));

test.skipIf(!canNotify)('a service manager hears when the broker serves, lives, loads again and stops', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'cci-service-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const told = listenForNotes(join(directory, 'notify'));
  const notes: string[] = [];
  const until = async (wanted: RegExp): Promise<void> => {
    while (!notes.some((note) => wanted.test(note))) {
      notes.push(...told());
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const broker = spawn(process.execPath, [launcher, 'serve', '--state-directory', directory, '--port', '0'], {
    stdio: 'ignore',
    env: { PATH: process.env.PATH, NOTIFY_SOCKET: join(directory, 'notify'), WATCHDOG_USEC: '200000' },
  });
  const ended = new Promise<number | null>((resolve) => broker.once('exit', resolve));
  onTestFinished(() => void broker.kill('SIGKILL'));
  await until(/^READY=1\nSTATUS=serving sw0 at http:\/\/127\.0\.0\.1:\d+$/);
  await until(/^WATCHDOG=1$/);
  notes.length = 0;
  broker.kill('SIGHUP');
  await until(/^RELOADING=1/);
  await until(/^READY=1/);
  broker.kill('SIGTERM');
  await until(/^STOPPING=1/);
  expect(await ended).toBe(0);
});
