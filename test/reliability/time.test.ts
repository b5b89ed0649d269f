import { join } from 'node:path';
import { expect } from 'vitest';
import { canNotify, listenForNotes } from '../support/notify-socket.ts';
import { ask, bind, change, command, read, unbind } from './ask.ts';
import { fault } from './fault.ts';

const HOUR = 3_600_000;
const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

fault('clock-forward', async ({ start, sees, kept }) => {
  const broker = await start();
  const { installation } = broker;
  const token = await installation.token({ tenant: 'acme', ttlMs: HOUR });
  const long = await installation.token({ tenant: 'acme', ttlMs: 6 * HOUR });
  expect((await change(broker, token, bind)).status).toBe(200);
  await broker.order({ kind: 'clock', offsetMs: 2 * HOUR });
  sees('old', await command(broker, token, read));
  sees('long', await change(broker, long, unbind));
  sees('ready', await ask(broker, '/readyz'));
  await broker.order({ kind: 'clock', offsetMs: 0 });
  sees('right', await change(broker, token, bind));
  await broker.stop();
  expect((await kept(installation)).done).toBe(3);
});

fault('clock-backward', async ({ start, sees, kept }) => {
  const broker = await start();
  const { installation } = broker;
  const token = await installation.token({ tenant: 'acme', ttlMs: HOUR });
  expect((await change(broker, token, bind)).status).toBe(200);
  await broker.order({ kind: 'clock', offsetMs: -2 * HOUR });
  sees('token', await command(broker, token, read));
  sees('ready', await ask(broker, '/readyz'));
  // What the broker writes for itself has the wrong time as well.
  await pause(1200);
  await broker.order({ kind: 'clock', offsetMs: 0 });
  sees('right', await change(broker, token, unbind));
  await broker.stop();
  expect((await kept(installation)).done).toBe(2);
});

fault('stall', async ({ install, sees, kept, figure }) => {
  const place = join(process.env.TMPDIR ?? '/tmp', `cci-stall-${process.pid}`);
  const notes = canNotify ? listenForNotes(`@${place}`) : () => [];
  const environment = { NOTIFY_SOCKET: `@${place}`, WATCHDOG_USEC: '300000' };
  const installation = install(canNotify ? { environment } : {});
  const broker = await installation.start();
  const token = await installation.token({ tenant: 'acme' });
  notes();
  await pause(1500);
  const alive = notes().filter((note) => note.includes('WATCHDOG=1')).length;
  figure('notes', alive);
  if (canNotify) expect(alive).toBeGreaterThan(0);
  await broker.order({ kind: 'device', delayMs: 400 });
  const changing = command(broker, token, bind);
  while (!installation.reached().includes(0x5201)) await pause(5);
  broker.signal('SIGSTOP');
  const waiting = command(broker, token, read);
  await pause(50);
  notes();
  sees('during', await ask(broker, '/healthz', { timeoutMs: 1000 }));
  await pause(2000);
  expect(notes()).toEqual([]);
  broker.signal('SIGCONT');
  const changed = await changing;
  sees('change', changed);
  figure('changeMs', changed.tookMs);
  sees('waited', await waiting);
  sees('after', await command(broker, token, read));
  await broker.stop();
  expect((await kept(installation)).done).toBe(1);
});

fault('stall-separate', async ({ start, sees, kept }) => {
  const broker = await start({ edge: 'separate' });
  const { installation } = broker;
  const token = await installation.token({ tenant: 'acme' });
  broker.signal('SIGSTOP');
  sees('health', await ask(broker, '/healthz', { timeoutMs: 10_000 }));
  const waiting = command(broker, token, read);
  sees('ready', await ask(broker, '/readyz', { timeoutMs: 1000 }));
  broker.signal('SIGCONT');
  sees('waited', await waiting);
  await broker.stop();
  await kept(installation);
});
