import { type ChildProcess, spawn } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { afterEach, describe, expect, it } from 'vitest';
import { caller, marked, opened, processesOf, script, startConsoleBroker, tidy } from './console-broker.ts';

let child: ChildProcess | undefined;
afterEach(() => {
  child?.kill('SIGKILL');
  child = undefined;
});

async function brokerWithConsole(): Promise<{ readonly session: string; readonly directory: string }> {
  child = spawn(process.execPath, [new URL('crash-child.ts', import.meta.url).pathname], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (child.stdout === null) throw new Error('it has no output');
  for await (const line of createInterface({ input: child.stdout })) {
    return JSON.parse(line) as { readonly session: string; readonly directory: string };
  }
  throw new Error('it never opened a console');
}

describe('a broker that is killed', () => {
  it('takes its console with it, and everything that was started there', async () => {
    const { session, directory } = await brokerWithConsole();
    expect((await marked(session)).length).toBeGreaterThan(3);
    child?.kill('SIGKILL');
    await expect.poll(() => marked(session), { timeout: 10_000 }).toEqual([]);
    await rm(directory, { recursive: true, force: true });
  }, 30_000);
});

const ROOT = process.getuid?.() === 0;

describe('a fork bomb', () => {
  /**
   * Never more than forty processes, of a user that has none besides, in a session that lasts three seconds at most.
   * Not as root there is no other user to run it as, and the limit would be everybody's: CI runs this as root.
   */
  const name =
    ROOT || process.env.CI !== undefined
      ? 'is stopped by its limit, and is gone with its session'
      : 'is not tried: only root can run a program as another user';
  it.runIf(ROOT || process.env.CI !== undefined)(
    name,
    async () => {
      expect(ROOT, 'this needs root').toBe(true);
      const bomb = 'b() { sleep 20 & b & b & wait; }; printf boom; b; sleep 60';
      await using broker = await startConsoleBroker({
        programs: {
          bomb: script(bomb, 'user: games, limits: { processes: 40, memory_bytes: 268435456, time_ms: 12000 }'),
        },
      });
      const desk = await opened(broker, await caller(broker, 'alice'), 'bomb');
      await desk.until('boom');
      await expect.poll(async () => (await processesOf(desk)).length, { timeout: 10_000 }).toBeGreaterThan(15);
      const many = (await processesOf(desk)).length;
      expect(many).toBeLessThanOrEqual(40);
      await tidy(broker);
      expect(await processesOf(desk)).toEqual([]);
    },
    30_000,
  );
});
