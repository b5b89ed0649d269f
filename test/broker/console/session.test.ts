import { existsSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { BrokerFixture } from '../../support/broker-fixture.ts';
import {
  asUser,
  caller,
  type Desk,
  journal,
  opened,
  processesOf,
  recording,
  script,
  startConsoleBroker,
  tidy,
} from './console-broker.ts';

/** Real programs in real terminals. One broker for all of them: each test opens a console of its own. */
let broker: BrokerFixture;
const MEGABYTES_10 = 10 * 1024 * 1024;

beforeAll(async () => {
  const few = 'limits: { processes: 5000 }';
  broker = await startConsoleBroker({
    programs: {
      flood: script(`stty -opost; head -c ${MEGABYTES_10} /dev/zero | tr '\\0' x`),
      garbage: script('stty raw -echo; head -c 200000 /dev/urandom'),
      suicide: script('printf ready; kill -9 $$'),
      litter: script(
        "trap '' HUP; (trap '' HUP TERM; sleep 600) & setsid sleep 601 & nohup sleep 602 >/dev/null & printf litter; exit 3",
      ),
      deaf: script("trap '' HUP TERM INT; printf deaf; while :; do sleep 1; done"),
      password: script(
        'stty -echo; printf Password:; read p; stty echo; printf "\\ngot %s\\n" $(printf %s "$p" | wc -c); read more; echo "$more"',
      ),
      short: script('printf short; sleep 60', 'limits: { time_ms: 1000, processes: 5000 }'),
      idle: script('printf idle; sleep 60', 'limits: { idle_ms: 700, processes: 5000 }'),
      talker: script('yes talk', 'limits: { output_bytes: 100000, processes: 5000 }'),
      pager: `path: ${existsSync('/usr/bin/less') ? '/usr/bin/less' : '/usr/bin/pager'}, arguments: ['-S', /etc/services], ${few}`,
      editor: `path: /usr/bin/vi, arguments: ['-u', NONE, /etc/passwd], ${few}`,
    },
  });
});
afterEach(() => tidy(broker));
afterAll(() => broker.close());

const alice = () => caller(broker, 'alice');
const outputOf = async (desk: Desk): Promise<string> => {
  const events = await recording(broker, desk.opened.session.id);
  return events.flatMap(([, kind, data]) => (kind === 'o' ? [data] : [])).join('');
};

describe('a console', () => {
  it('is a terminal of its own for whoever may open it, and everything of it is on record', async () => {
    const desk = await opened(broker, await alice());
    await desk.until('$ ');
    await desk.type('tty; stty size; echo sum $((40+2)); umask; ulimit -c\r');
    const text = await desk.until(/sum 42\r\n0077\r\n0\r\n[\s\S]*\$ /);
    expect(text).toMatch(/\/dev\/pts\/\d+\r\n24 80/);
    await desk.type('exit 7\r');
    expect(await desk.end()).toEqual({ why: 'exited', detail: 'the program has ended', exitCode: 7 });

    const session = desk.opened.session.id;
    const records = (await journal(broker)).filter(
      ({ requestId, request }) => requestId === session || request === session,
    );
    const order = records.map(({ kind, change, outcome }) => [kind, change ?? outcome].filter(Boolean).join(' '));
    // The intent is there before anything is recorded of a program.
    expect(order[0]).toBe('intent');
    expect(order[1]).toBe('console recording');
    expect(order).toContain('console opened');
    expect(order.slice(-2)).toEqual(['console closed', 'outcome done']);
    expect(records[0]).toMatchObject({
      command: 'console:tool',
      class: 'raw',
      verdict: 'allow',
      flags: ['unaudited'],
      posture: { taint: 'C' },
      details: { reason: 'the link of port 3 does not train', path: '/bin/bash' },
    });
    expect(records.filter(({ change }) => change === 'recording').at(-1)).toMatchObject({ recording: { final: true } });
    expect(await outputOf(desk)).toContain('sum 42');
    expect((await recording(broker, session)).filter(([, kind]) => kind === 'i').map(([, , data]) => data)).toEqual([
      'tty; stty size; echo sum $((40+2)); umask; ulimit -c\r',
      'exit 7\r',
    ]);
  });

  it('has nothing of the environment and the rights of the broker', async () => {
    process.env.CCI_SECRET_OF_THE_BROKER = 'hunter2';
    const desk = await opened(broker, await alice());
    await desk.type(
      'export -p; grep -E "NoNewPrivs|CapInh" /proc/self/status; ls -l /proc/self/fd | grep -c pts; echo d""one\r',
    );
    const text = await desk.until(/done\r\n/);
    expect(text).not.toContain('hunter2');
    expect(text).toMatch(/NoNewPrivs:\t1/);
    expect(text).toMatch(/CapInh:\t0000000000000000/);
    if (asUser !== '') {
      await desk.type('id; kill -0 1 && echo can; echo ov""er\r');
      const more = await desk.until(/over\r\n[\s\S]*\$ /);
      expect(more).toMatch(/uid=65534\(nobody\) gid=65534\(nogroup\) groups=65534\(nogroup\)/);
      expect(more).not.toMatch(/\ncan\r/);
    }
    delete process.env.CCI_SECRET_OF_THE_BROKER;
    await desk.close();
  });

  it('tells the program its new size', async () => {
    const desk = await opened(broker, await alice());
    await desk.until('$ ');
    expect(await broker.core.consoleResize(desk.credential, 'sw0', desk.seat, 132, 50)).toMatchObject({ ok: true });
    await desk.type('stty size\r');
    await desk.until('50 132');
    await desk.close();
    expect((await recording(broker, desk.opened.session.id)).map(([, , data]) => data)).toContain('132x50');
  });

  it('passes Ctrl-C to the program', async () => {
    const desk = await opened(broker, await alice());
    await desk.type("trap 'echo caught' INT; sleep 30\r");
    await desk.until('sleep 30\r\n');
    await desk.type('\u0003');
    await desk.until('caught');
    await desk.close();
  });

  it.runIf(existsSync('/usr/bin/less') || existsSync('/usr/bin/pager'))(
    'runs a pager over the whole screen',
    async () => {
      const desk = await opened(broker, await alice(), 'pager');
      await desk.until('tcpmux');
      await desk.type('q');
      expect(await desk.end()).toMatchObject({ why: 'exited', exitCode: 0 });
    },
  );

  it.runIf(existsSync('/usr/bin/vi'))('runs an editor over the whole screen', async () => {
    const desk = await opened(broker, await alice(), 'editor');
    await desk.until('root:x:0:0');
    await desk.type(':q!\r');
    expect(await desk.end()).toMatchObject({ why: 'exited', exitCode: 0 });
  });

  it('makes a program wait for a slow reader, and loses nothing of ten megabytes', async () => {
    const desk = await opened(broker, await alice(), 'flood');
    // Nothing is acknowledged: what is kept for the reader stays small.
    while (desk.bytes < 200_000) await desk.read(1000, false);
    await expect.poll(async () => (await desk.read(100, false)).output.length).toBe(0);
    expect(desk.bytes).toBeLessThan(600_000);
    while (desk.page?.ended === undefined) {
      await desk.read(1000);
      desk.text = '';
    }
    expect(desk.bytes).toBe(MEGABYTES_10);
    expect(desk.page.ended).toMatchObject({ why: 'exited', exitCode: 0 });
    expect((await outputOf(desk)).length).toBe(MEGABYTES_10);
  }, 30_000);

  it('carries bytes that are no text', async () => {
    const desk = await opened(broker, await alice(), 'garbage');
    expect(await desk.end()).toMatchObject({ why: 'exited', exitCode: 0 });
    expect(desk.bytes).toBe(200_000);
    expect((await outputOf(desk)).length).toBeGreaterThan(0);
  });

  it('tells that the program was killed', async () => {
    const desk = await opened(broker, await alice(), 'suicide');
    expect(await desk.end()).toMatchObject({ why: 'exited', signal: 'SIGKILL' });
    expect(desk.text).toBe('ready');
  });

  it('leaves no process behind, also none that left its session', async () => {
    const desk = await opened(broker, await alice(), 'litter');
    expect(await desk.end()).toMatchObject({ why: 'exited', exitCode: 3 });
    expect(await processesOf(desk)).toEqual([]);
  });

  it('ends a program that does not want to end', async () => {
    const desk = await opened(broker, await alice(), 'deaf');
    await desk.until('deaf');
    await broker.core.consoleClose(desk.credential, 'sw0', desk.seat);
    expect(await desk.end()).toMatchObject({ why: 'closed', signal: 'SIGKILL' });
    expect(await processesOf(desk)).toEqual([]);
  });

  it('records no password', async () => {
    const desk = await opened(broker, await alice(), 'password');
    await desk.until('Password:');
    await desk.type('hunter2\r');
    await desk.until('got 7');
    await desk.type('seen\r');
    await desk.end();
    const events = await recording(broker, desk.opened.session.id);
    expect(JSON.stringify(events)).not.toContain('hunter2');
    expect(events.filter(([, kind]) => kind === 'i').map(([, , data]) => data)).toEqual(['seen\r']);
    expect(events).toContainEqual([expect.any(Number), 'm', 'input that the terminal did not show was not recorded']);
  });

  it.each([
    ['short', 'time-limit'],
    ['idle', 'idle-limit'],
    ['talker', 'output-limit'],
  ])('ends `%s` by its %s', async (program, why) => {
    const desk = await opened(broker, await alice(), program);
    expect(await desk.end()).toMatchObject({ why });
    expect(await processesOf(desk)).toEqual([]);
  });
});
