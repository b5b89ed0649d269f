import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { WebSocket } from 'ws';
import { encodeMessage } from '../../src/cci/index.ts';
import { eventually } from '../support/eventually.ts';
import { type Answer, ask, bind, change, command, Load, read, unbind } from './ask.ts';
import { fault } from './fault.ts';

fault('descriptors', async ({ start, sees, kept, figure }) => {
  const broker = await start();
  const { installation } = broker;
  const token = await installation.token({ tenant: 'acme' });
  expect((await change(broker, token, bind)).status).toBe(200);
  execFileSync('prlimit', ['--pid', String(broker.pid), `--nofile=${broker.descriptors() + 6}:`]);
  let closed = 0;
  const sockets = Array.from({ length: 20 }, () => {
    const socket = connect(broker.port, '127.0.0.1');
    socket
      .on('error', () => undefined)
      .on('close', () => {
        closed += 1;
      });
    return socket.resume();
  });
  await eventually(() => closed).toBeGreaterThanOrEqual(10);
  sees('over', { socket: 'closed' });
  figure('refused', closed);
  // Some of those that are left make room for one who works, and for the files that the broker writes besides.
  const full = broker.descriptors();
  await eventually(() => {
    // The broker may have given this one up already, and its end be still on the way here.
    sockets.find(({ destroyed }) => !destroyed)?.destroy();
    return full - broker.descriptors();
  }).toBeGreaterThanOrEqual(4);
  sees('inside', await change(broker, token, unbind));
  for (const socket of sockets) socket.destroy();
  sees('after', await change(broker, token, bind));
  await broker.stop();
  expect((await kept(installation)).done).toBe(3);
});

fault('out-of-disk', async ({ install, sees, kept, figure }) => {
  const state = mkdtempSync(join(tmpdir(), 'cci-full-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m,mode=700', 'tmpfs', state]);
  const ballast = join(state, 'ballast');
  try {
    const installation = install({ state });
    const broker = await installation.start();
    const token = await installation.token({ tenant: 'acme' });
    const load = new Load(() => broker, token);
    await eventually(() => load.served).toBeGreaterThan(20);
    expect(() => writeFileSync(ballast, Buffer.alloc(8 << 20))).toThrow('ENOSPC');
    await eventually(() => load.answers.at(-1)?.status).toBe(503);
    const reached = installation.reached().length;
    sees('refused', await command(broker, token, bind));
    sees('refused', await command(broker, token, read));
    sees('ready', await ask(broker, '/readyz'));
    sees('health', await ask(broker, '/healthz'));
    await load.stop();
    // Nothing of what was refused has reached the device; what the broker reads for itself may have.
    const changes = installation
      .reached()
      .slice(reached)
      .filter((opcode) => opcode === 0x5201 || opcode === 0x5202);
    expect(changes).toEqual([]);
    rmSync(ballast);
    const free = performance.now();
    let back: Answer | undefined;
    await eventually(async () => {
      back = await command(broker, token, read);
      return back.status;
    }).toBe(200);
    figure('backMs', performance.now() - free);
    sees('after', back ?? {});
    expect((await change(broker, token, bind)).tookMs).toBeGreaterThan(0);
    await broker.stop();
    await kept(installation);
    await installation.remove();
  } finally {
    execFileSync('umount', ['--lazy', state]);
    rmdirSync(state);
  }
});

fault('slow-disk', async ({ start, sees, kept, figure }) => {
  const broker = await start();
  const { installation } = broker;
  const token = await installation.token({ tenant: 'acme' });
  await broker.order({ kind: 'disk', delayMs: 700 });
  const changed = await command(broker, token, bind);
  sees('change', changed);
  expect(changed.tookMs).toBeGreaterThanOrEqual(690);
  figure('changeMs', changed.tookMs);
  const one = await command(broker, token, read);
  sees('read', one);
  figure('readMs', one.tookMs);
  for (const answer of await Promise.all(Array.from({ length: 16 }, () => command(broker, token, read)))) {
    sees('flood', answer);
  }
  await broker.order({ kind: 'disk', delayMs: 0 });
  await broker.stop();
  expect((await kept(installation)).done).toBe(1);
});

const SMALL = ['--max-old-space-size=64'];

fault('memory', async ({ start, sees, kept, figure }) => {
  const broker = await start({ nodeFlags: SMALL });
  const { installation } = broker;
  const token = await installation.token({ tenant: 'acme' });
  let most = broker.memory();
  const replies: number[] = [];
  const streams = await Promise.all(Array.from({ length: 10 }, () => stream(broker.port, token)));
  for (const socket of streams) {
    socket.on('message', (data: Buffer) => replies.push(data.readUInt16LE(8)));
    for (let tag = 0; tag < 256; tag++) socket.send(identify(tag));
  }
  const large = { ...read, pad: 'x'.repeat(60_000) };
  const clients = Array.from({ length: 40 }, async () => {
    for (let i = 0; i < 3; i++) {
      sees('body', await command(broker, token, large));
      most = Math.max(most, broker.memory());
    }
  });
  await Promise.all(clients);
  await expect.poll(() => replies.length, { timeout: 60_000 }).toBe(2560);
  figure('memory', most);
  figure('messages', replies.length);
  figure('refused', replies.filter((code) => code === 0x0005).length);
  for (const socket of streams) socket.terminate();
  sees('after', await command(broker, token, read));
  await broker.stop();
  await kept(installation);
});

fault('memory-gone', async ({ install, sees, kept }) => {
  const installation = install({ nodeFlags: SMALL });
  const broker = await installation.start();
  const token = await installation.token({ tenant: 'acme' });
  await broker.order({ kind: 'device', delayMs: 1500 });
  const changing = command(broker, token, bind);
  await eventually(() => installation.reached()).toContain(0x5201);
  await broker.order({ kind: 'swell' });
  sees('caller', await changing);
  expect(await broker.ended).toMatchObject({ signal: 'SIGABRT' });
  const next = await installation.start();
  sees('next', await command(next, token, read));
  await next.stop();
  expect(await kept(installation)).toMatchObject({ changes: 1, unknown: 1 });
});

function stream(port: number, token: string): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/switches/sw0/stream`, {
    headers: { authorization: `Bearer ${token}` },
  });
  return new Promise((resolve, reject) => {
    socket.once('open', () => resolve(socket)).once('error', reject);
  });
}

function identify(tag: number): Uint8Array {
  const head = { category: 'request', tag, opcode: 0x5100, background: false, returnCode: 0, vendorStatus: 0 } as const;
  return encodeMessage({ ...head, payload: new Uint8Array(0) });
}
