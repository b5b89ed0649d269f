import { afterEach, describe, expect, it } from 'vitest';
import { MemoryRevocations } from '../../../src/broker/auth/index.ts';
import type { BrokerFixture } from '../../support/broker-fixture.ts';
import {
  APPROVE,
  ask,
  caller,
  Desk,
  journal,
  OPEN,
  opened,
  processesOf,
  recording,
  script,
  startConsoleBroker,
  tidy,
  value,
  watching,
} from './console-broker.ts';

const ISSUER = 'https://cci-broker.local/dev';
let broker: BrokerFixture;

async function started(...parts: Parameters<typeof startConsoleBroker>): Promise<BrokerFixture> {
  broker = await startConsoleBroker(...parts);
  return broker;
}

afterEach(async () => {
  await tidy(broker);
  await broker.close();
});

/** What became of it, as the journal tells it. */
async function changes(): Promise<readonly unknown[]> {
  const all = (await journal(broker)).filter(({ kind }) => kind === 'console').map(({ change }) => change);
  return all.filter((change) => change !== 'recording' && change !== 'requested');
}

describe('whoever looks on', () => {
  it('sees what was written before and what is, types nothing, and ends it at once', async () => {
    const { core } = await started();
    const [alice, carol] = [await caller(broker, 'alice'), await caller(broker, 'carol', APPROVE)];
    const desk = await opened(broker, alice);
    await desk.type('echo early\r');
    await desk.until('early\r\n');
    const look = await watching(broker, carol, desk);
    await look.until('early');
    expect(look.page).toMatchObject({ watchers: 1 });
    const input = { ...look.seat, offset: 0, bytes: new Uint8Array([120]) };
    expect(await core.consoleWrite(carol, 'sw0', input)).toMatchObject({ ok: false, problem: { code: 'ENOENT' } });
    expect(await core.consoleResize(carol, 'sw0', look.seat, 10, 10)).toMatchObject({ ok: false });
    expect(await core.consoleClose(carol, 'sw0', look.seat)).toMatchObject({ ok: false });
    await desk.type('echo later\r');
    await look.until('later\r\n');
    expect(await core.consoleKill(carol, 'sw0', desk.opened.session.id, 'that is not what we spoke of')).toMatchObject({
      ok: true,
    });
    expect(await desk.end()).toMatchObject({ why: 'killed', detail: expect.stringContaining('#carol') });
    expect(await look.end()).toMatchObject({ why: 'killed' });
    expect(await processesOf(desk)).toEqual([]);
    expect(await changes()).toEqual(['opened', 'watched', 'killed', 'closed']);
    const marks = (await recording(broker, desk.opened.session.id)).filter(([, kind]) => kind === 'm');
    expect(marks.map(([, , text]) => text)).toContain(`user:${ISSUER}#carol watches`);
  });

  it('needs a grant of his own, and a seat of his own', async () => {
    const { core } = await started();
    const [alice, bob] = [await caller(broker, 'alice'), await caller(broker, 'bob')];
    const desk = await opened(broker, alice);
    const id = desk.opened.session.id;
    const none = { ok: false, problem: { code: 'ENOENT' } };
    const dave = await broker.credential('fabric', { subject: 'dave', scopes: [...OPEN, 'cci:approve'] });
    expect(await core.consoleWatch(dave, 'sw0', id)).toMatchObject(none);
    expect(await core.consoleKill(dave, 'sw0', id, 'just so')).toMatchObject(none);
    const scopeless = await broker.credential('fabric', { subject: 'bob', scopes: ['cci:read'] });
    expect(await core.consoleWatch(scopeless, 'sw0', id)).toMatchObject(none);
    // The word of a seat is worth nothing to somebody else, not even to one who may watch.
    expect(await core.consoleRead(bob, 'sw0', { ...desk.seat, after: 0 })).toMatchObject(none);
    expect(await core.consoleWrite(bob, 'sw0', { ...desk.seat, offset: 0, bytes: new Uint8Array(1) })).toMatchObject(
      none,
    );
    const guessed = { session: id, seat: 'A'.repeat(43) };
    expect(await core.consoleRead(alice, 'sw0', { ...guessed, after: 0 })).toMatchObject(none);
  });

  it('holds back nobody when he is slow, and misses bytes instead', async () => {
    await started({ programs: { flood: script('stty -opost; head -c 3000000 /dev/zero | tr "\\0" x; read wait') } });
    const desk = await opened(broker, await caller(broker, 'alice'), 'flood');
    const look = await watching(broker, await caller(broker, 'bob'), desk);
    while (desk.bytes < 3_000_000) await desk.read(1000);
    const page = await look.read();
    expect(page.offset).toBeGreaterThan(2_000_000);
  });
});

describe('a required watcher', () => {
  const section = 'watcher: required\nwatcher_ms: 600';

  it('is waited for: nothing is shown, nothing typed and nothing runs without him', async () => {
    await started({ section: 'watcher: required\nwatcher_ms: 30000' });
    const { core } = broker;
    const [alice, carol] = [await caller(broker, 'alice'), await caller(broker, 'carol', APPROVE)];
    const desk = await opened(broker, alice);
    expect(await desk.read(100)).toMatchObject({ state: 'paused' });
    // Looking at it himself does not count.
    const own = await watching(broker, alice, desk);
    await desk.type('echo blind\r');
    expect(await desk.read(300)).toMatchObject({ state: 'paused', output: new Uint8Array(0) });

    const look = await watching(broker, carol, desk);
    await desk.until('$ ');
    await desk.type('echo seen; n=0; while sleep 0.05; do n=$((n+1)); echo tick $n; done\r');
    await desk.until('tick 2');
    expect(desk.text).not.toContain('blind');

    value(await core.consoleLeave(carol, 'sw0', look.seat));
    await expect.poll(async () => (await desk.read(50)).state).toBe('paused');
    const held = desk.bytes;
    await desk.read(400);
    await desk.read(100);
    expect(desk.bytes).toBe(held);

    const again = await watching(broker, carol, desk);
    const [, last] = /tick (\d+)\r\n[^k]*$/.exec(desk.text) ?? [];
    await desk.until(`tick ${Number(last) + 3}`);
    await again.until('tick');
    value(await core.consoleLeave(alice, 'sw0', own.seat));
    expect((await changes()).filter((change) => change === 'paused' || change === 'continued')).toEqual([
      'paused',
      'continued',
      'paused',
      'continued',
    ]);
  });

  it('who does not come ends it', async () => {
    await started({ section });
    const desk = await opened(broker, await caller(broker, 'alice'));
    expect(await desk.end()).toMatchObject({ why: 'no-watcher' });
    expect(await processesOf(desk)).toEqual([]);
  });
});

describe('a lost connection', () => {
  it('is taken up again where it was, with nothing missing', async () => {
    const { core } = await started({
      programs: { count: script('i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo $i; done; read wait') },
    });
    const alice = await caller(broker, 'alice');
    const desk = await opened(broker, alice, 'count');
    await desk.read(1000);
    value(await core.consoleLeave(alice, 'sw0', desk.seat));
    const { sessions } = value(await core.consoles(alice, 'sw0'));
    expect(sessions).toMatchObject([{ state: 'detached' }]);
    // The same person with another token, from another place.
    const back = { ...(await caller(broker, 'alice')), source: '127.0.0.1:2' };
    const again = new Desk(broker, back, { ...desk.opened, offset: desk.bytes });
    again.text = desk.text;
    await again.until('3000\r\n');
    expect(again.text).toBe(Array.from({ length: 3000 }, (_, i) => `${i + 1}\r\n`).join(''));
    expect(await changes()).toEqual(['opened', 'detached', 'resumed']);
  });

  it('ends the session where it does not come back', async () => {
    await started({ section: 'resume_ms: 300' });
    const alice = await caller(broker, 'alice');
    const desk = await opened(broker, alice);
    value(await broker.core.consoleLeave(alice, 'sw0', desk.seat));
    await expect.poll(async () => await changes()).toEqual(['opened', 'detached', 'closed']);
    expect(await processesOf(desk)).toEqual([]);
  });

  it('takes no input twice, and none with a gap before it', async () => {
    const { core } = await started();
    const alice = await caller(broker, 'alice');
    const desk = await opened(broker, alice);
    await desk.until('$ ');
    const send = (offset: number, text: string) =>
      core.consoleWrite(alice, 'sw0', { ...desk.seat, offset, bytes: new TextEncoder().encode(text) });
    expect(value(await send(0, 'echo o'))).toEqual({ inputOffset: 6 });
    expect(value(await send(0, 'echo o'))).toEqual({ inputOffset: 6 });
    expect(value(await send(4, ' once\r'))).toEqual({ inputOffset: 10 });
    expect(await send(20, 'x')).toMatchObject({ ok: false, problem: { code: 'EPARAM', field: 'offset' } });
    await desk.until(/echo once\r\n[^o]*once\r\n/);
  });
});

describe('what ends a session from outside', () => {
  it('a revoked token, in the middle of a read', async () => {
    const revocations = new MemoryRevocations();
    const { core } = await started({ broker: { revocations } });
    const alice = await caller(broker, 'alice');
    const desk = await opened(broker, alice);
    await desk.until('$ ');
    const reading = core.consoleRead(alice, 'sw0', {
      ...desk.seat,
      after: desk.bytes,
      change: desk.page?.change ?? 0,
      waitMs: 20_000,
    });
    revocations.revoke({ kind: 'principal', name: `user:${ISSUER}#alice` });
    expect(await reading).toMatchObject({ ok: false, problem: { code: 'EAUTH' } });
    await expect.poll(() => processesOf(desk)).toEqual([]);
    await expect
      .poll(async () => (await journal(broker)).findLast(({ change }) => change === 'closed'))
      .toMatchObject({
        details: { why: 'token-ended' },
      });
  });

  it('a token that runs out', async () => {
    await started();
    const alice = await broker.credential('fabric', { subject: 'alice', scopes: OPEN, ttlMs: 3000 });
    const desk = await opened(broker, alice);
    await expect.poll(() => processesOf(desk)).toEqual([]);
    await expect
      .poll(async () => (await journal(broker)).findLast(({ change }) => change === 'closed'))
      .toMatchObject({
        details: { why: 'token-ended' },
      });
  });

  it('a watcher whose token was revoked sees nothing any more', async () => {
    const revocations = new MemoryRevocations();
    await started({ broker: { revocations } });
    const desk = await opened(broker, await caller(broker, 'alice'));
    const bob = await caller(broker, 'bob');
    const look = await watching(broker, bob, desk);
    await look.until('$ ');
    revocations.revoke({ kind: 'principal', name: `user:${ISSUER}#bob` });
    expect(await broker.core.consoleRead(bob, 'sw0', { ...look.seat, after: 0 })).toMatchObject({ ok: false });
    await expect.poll(async () => (await desk.read(50)).watchers).toBe(0);
  });

  it('lockdown, raised meanwhile', async () => {
    const { core } = await started();
    const desk = await opened(broker, await caller(broker, 'alice'));
    const posture = await broker.credential('fabric', { scopes: ['cci:posture'] });
    value(await core.raiseLockdown(posture, 'integrity', 'something is wrong'));
    expect(await desk.end()).toMatchObject({ why: 'not-permitted', detail: expect.stringContaining('lockdown') });
    expect(await processesOf(desk)).toEqual([]);
  });

  it('the end of the broker, which is written down', async () => {
    await started();
    const desk = await opened(broker, await caller(broker, 'alice'));
    await desk.until('$ ');
    broker = await broker.restart();
    expect(await processesOf(desk)).toEqual([]);
    const records = await journal(broker);
    expect(records.findLast(({ change }) => change === 'closed')).toMatchObject({ details: { why: 'broker-stopped' } });
    expect(records.findLast(({ kind }) => kind === 'outcome')).toMatchObject({ outcome: 'done' });
    // Taint C outlives the broker.
    const who = await broker.credential('fabric', { scopes: ['cci:read'] });
    expect(value(await broker.core.taint(who))[0]?.letters).toContain('C');
    expect(await ask(broker, await caller(broker, 'alice'))).toMatchObject({ ok: true });
  });
});
