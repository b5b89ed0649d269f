import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createSessionBackend } from '../../../src/backend/console/index.ts';
import { createRecording, RecordingError } from '../../../src/broker/recording/index.ts';
import type { BrokerFixture } from '../../support/broker-fixture.ts';
import { journalRecords } from '../../support/journal-records.ts';
import { ask, caller, journal, opened, processesOf, startConsoleBroker, tidy, value } from './console-broker.ts';

let broker: BrokerFixture;

async function started(...parts: Parameters<typeof startConsoleBroker>): Promise<BrokerFixture> {
  broker = await startConsoleBroker(...parts);
  return broker;
}

afterEach(async () => {
  await tidy(broker);
  await broker.close();
});

const alerts = { kind: 'named', command: 'get-alert-configuration', via: 'port:2' } as const;

describe('while a console is open on a switch', () => {
  it("others' commands wait, and so does the broker's own looking", async () => {
    await started({ broker: { rereadMs: 10, eventsPollMs: 10 } });
    const [alice, acme] = [await caller(broker, 'alice'), await broker.credential('acme')];
    const desk = await opened(broker, alice);
    await desk.until('$ ');
    broker.requests.length = 0;
    let done = false;
    const waiting = broker.submit(acme, alerts).finally(() => {
      done = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(done).toBe(false);
    expect(broker.requests).toEqual([]);
    await desk.close();
    expect(await waiting).toMatchObject({ ok: true });
  });

  it('commands that may not wait so long are told that their deadline passed', async () => {
    await started();
    const desk = await opened(broker, await caller(broker, 'alice'));
    const acme = await broker.credential('acme');
    const answer = await broker.core.submit(acme, 'sw0', alerts, { deadlineMs: 100 });
    expect(answer).toMatchObject({ ok: false, problem: { code: 'EAGAIN' } });
    await desk.close();
  });

  it("others' commands are refused where the configuration says so, without a word about who it is", async () => {
    await started({ section: 'while_open: refuse' });
    const desk = await opened(broker, await caller(broker, 'alice'));
    const acme = await broker.credential('acme');
    const answer = await broker.submit(acme, alerts);
    expect(answer).toMatchObject({ ok: false, problem: { code: 'EBUSY', returnCode: 6 } });
    expect(JSON.stringify(answer)).not.toMatch(/alice|console|fabric/);
    await desk.close();
    expect(await broker.submit(acme, alerts)).toMatchObject({ ok: true });
  });

  it('no second one is opened there', async () => {
    await started();
    const [alice, bob] = [await caller(broker, 'alice'), await caller(broker, 'bob')];
    const desk = await opened(broker, alice);
    const asked = value(await ask(broker, bob));
    const answer = await broker.core.consoleOpen(bob, 'sw0', asked.id, 80, 24);
    expect(answer).toMatchObject({ ok: false, problem: { code: 'EBUSY' } });
    await desk.close();
    expect(await broker.core.consoleOpen(bob, 'sw0', asked.id, 80, 24)).toMatchObject({ ok: true });
  });
});

describe('what a console changed', () => {
  it('is known as soon as it is over, is on record as done by it, and is no taint X', async () => {
    const { core, device } = await started({ broker: { rereadMs: 20 } });
    const alice = await caller(broker, 'alice');
    const reader = await broker.credential('fabric', { scopes: ['cci:read'] });
    const desk = await opened(broker, alice);
    await desk.until('$ ');
    expect(device.emulator.control.bindBehindBack({ vcs: 1, vppb: 2, port: 7, ld: 0 })).toBe(true);
    await desk.close();
    const topology = value(await core.topology(reader, 'sw0'));
    expect(topology.vcss.find(({ id }) => id === 1)?.vppbs[2]).toMatchObject({ port: 7 });
    const changed = (await journal(broker)).filter(
      ({ kind, change }) => kind === 'topology' && change === 'by-console',
    );
    expect(changed).toMatchObject([
      {
        by: 'user:https://cci-broker.local/dev#alice',
        requestId: desk.opened.session.id,
        details: { read: true, differences: [{ what: 'vPPB 2 of VCS 1' }] },
      },
    ]);
    expect(value(await core.taint(reader))[0]?.letters).toBe('C');
    // What moves after it moved without us again.
    expect(device.emulator.control.bindBehindBack({ vcs: 1, vppb: 3, port: 6 })).toBe(true);
    await expect.poll(async () => value(await core.taint(reader))[0]?.letters).toContain('X');
  });
});

describe('a console that cannot be recorded', () => {
  it('is not opened, and the journal says that nothing was started', async () => {
    await started({
      broker: { console: { createRecording: () => Promise.reject(new RecordingError('no space left')) } },
    });
    const alice = await caller(broker, 'alice');
    const asked = value(await ask(broker, alice));
    const answer = await broker.core.consoleOpen(alice, 'sw0', asked.id, 80, 24);
    expect(answer).toMatchObject({ ok: false, problem: { code: 'EIO' } });
    const records = await journal(broker);
    expect(records.findLast(({ kind }) => kind === 'outcome')).toMatchObject({ outcome: 'not-sent' });
    expect(records.some(({ change }) => change === 'opened')).toBe(false);
    // The switch is free again.
    expect(await broker.submit(await broker.credential('acme'), alerts)).toMatchObject({ ok: true });
  });

  it('has its digests on the disk when the recording goes on: a broker that is killed then leaves them behind', async () => {
    const missing: string[] = [];
    await started({
      broker: {
        console: {
          createRecording: (options) =>
            createRecording({
              ...options,
              chain: async (link) => {
                await options.chain(link);
                const text = JSON.stringify(await journalRecords(join(broker.directory, 'state')));
                if (!text.includes(link.digest)) missing.push(link.digest);
              },
            }),
        },
      },
    });
    const desk = await opened(broker, await caller(broker, 'alice'));
    await desk.until('$ ');
    await desk.close();
    expect(missing).toEqual([]);
  });

  it('ends at once when the recording fails', async () => {
    let fail: (error: Error) => void = () => undefined;
    await started({
      broker: {
        console: {
          createRecording: (options) => {
            fail = options.onFailed;
            return createRecording(options);
          },
        },
      },
    });
    const desk = await opened(broker, await caller(broker, 'alice'));
    await desk.until('$ ');
    fail(new RecordingError('no space left'));
    expect(await desk.end()).toMatchObject({ why: 'not-recorded' });
    expect(await processesOf(desk)).toEqual([]);
  });
});

describe('a machine without terminals', () => {
  it('runs the broker all the same, and says why there is no console', async () => {
    const loadPty = () => {
      throw Object.assign(new Error('cannot find it'), { code: 'MODULE_NOT_FOUND' });
    };
    await started({ broker: { console: { backend: createSessionBackend({ loadPty }) } } });
    const alice = await caller(broker, 'alice');
    const why = 'the optional package node-pty is not installed';
    expect(await ask(broker, alice)).toMatchObject({
      ok: false,
      problem: { code: 'ENOTTY', detail: `consoles are not available here: ${why}` },
    });
    expect(value(await broker.core.consoles(alice, 'sw0'))).toMatchObject({ unavailable: why });
    expect(await broker.submit(await broker.credential('acme'), alerts)).toMatchObject({ ok: true });
  });

  it('says the same of a program that cannot be run', async () => {
    await started({ programs: { gone: 'path: /usr/bin/not-there', loose: 'path: /tmp' } });
    const alice = await caller(broker, 'alice');
    for (const program of ['gone', 'loose']) {
      const asked = value(await ask(broker, alice, program));
      expect(await broker.core.consoleOpen(alice, 'sw0', asked.id, 80, 24)).toMatchObject({
        ok: false,
        problem: { code: 'EIO' },
      });
    }
    const records = await journal(broker);
    expect(records.filter(({ kind }) => kind === 'outcome')).toMatchObject([
      { outcome: 'not-sent' },
      { outcome: 'not-sent' },
    ]);
  });
});
