import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { bind, command, Load, read, unbind } from './ask.ts';
import type { Running } from './broker-process.ts';
import { fault } from './fault.ts';
import { killedAt } from './faults/processes.ts';

const isWhole = process.env.RELIABILITY === 'whole';

fault('core-killed', async ({ install, sees, kept, figure }) => {
  const installation = install();
  let broker = await installation.start();
  let startMs = broker.startedMs;
  const token = await installation.token({ tenant: 'acme' });
  const moments = killedAt.filter(({ runs }) => isWhole || runs === 'plain');
  for (const { stage, at, reached, left } of moments) {
    const [before, recorded] = [changesReached(), (await installation.records()).length];
    await broker.order({ kind: 'die', at });
    sees('caller', await command(broker, token, bind));
    expect(await broker.ended, stage).toMatchObject({ signal: 'SIGKILL' });
    expect(changesReached() - before, stage).toBe(reached ? 1 : 0);
    broker = await installation.start();
    startMs = Math.max(startMs, broker.startedMs);
    sees('next', await command(broker, token, read));
    const { unknown } = await kept(installation);
    const outcomes = (await installation.records()).slice(recorded).filter(({ kind }) => kind === 'outcome');
    expect(
      outcomes.map(({ outcome }) => outcome),
      stage,
    ).toEqual(left === 'nothing' ? [] : [left]);
    expect(unknown).toBeLessThanOrEqual(moments.length);
  }
  await broker.stop();
  await kept(installation);
  figure('moments', moments.length);
  figure('startMs', startMs);

  function changesReached(): number {
    return installation.reached().filter((opcode) => opcode === 0x5201).length;
  }
});

fault('core-killed-separate', async ({ install, sees, kept, figure }) => {
  const installation = install({ edge: 'separate' });
  const broker = await installation.start();
  const token = await installation.token({ tenant: 'acme' });
  const load = new Load(() => broker, token);
  await eventually(() => load.served).toBeGreaterThan(40);
  const { edgePid } = broker;
  const killed = performance.now();
  broker.kill();
  await eventually(() => isRunning(edgePid)).toBe(false);
  figure('edgeMs', performance.now() - killed);
  await eventually(() => load.answers.at(-1)?.socket).toBe('ECONNREFUSED');
  const answers = await load.stop();
  sees('caller', answers.find(({ status }) => status === undefined) ?? {});
  sees('meanwhile', answers.at(-1) ?? {});
  const next = await installation.start();
  sees('next', await command(next, token, read));
  const { unknown } = await kept(installation);
  expect(unknown).toBeLessThanOrEqual(1);
  await next.stop();
  await kept(installation);
});

fault('edge-killed', async ({ start, sees, kept, figure }) => {
  const broker: Running = await start({ edge: 'separate' });
  const { installation, edgePid } = broker;
  const token = await installation.token({ tenant: 'acme' });
  await broker.order({ kind: 'device', delayMs: 20 });
  const load = new Load(() => broker, token);
  await eventually(() => load.served).toBeGreaterThan(40);
  const killed = performance.now();
  process.kill(edgePid, 'SIGKILL');
  const before = load.served;
  await eventually(() => load.served).toBeGreaterThan(before + 4);
  figure('backMs', performance.now() - killed);
  await eventually(() => load.served).toBeGreaterThan(before + 40);
  const answers = await load.stop();
  sees('caller', answers.find(({ socket }) => socket === 'ECONNRESET') ?? {});
  sees('again', await command(broker, token, read));
  // Which of the two the killed one was is not known to its caller: one of them is possible now.
  await command(broker, token, unbind);
  const found = (await installation.records()).find(({ kind, change }) => kind === 'edge' && change === 'ended');
  expect(found).toMatchObject({ reason: 'signal', signal: 'SIGKILL' });
  await broker.stop();
  const { unknown } = await kept(installation);
  expect(unknown).toBe(0);
});

/** A process that has ended and that nobody has asked about yet is none. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
