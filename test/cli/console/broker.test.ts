import { execFileSync } from 'node:child_process';
import { afterEach, describe, expect, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { type Person, personAtShell } from './person.ts';
import { type RealBroker, realBroker } from './real-broker.ts';
import { screenOf } from './screen.ts';

/**
 * The real command in a real terminal, the real broker in its own process, real programs behind it. Minutes of work:
 * `npm run test:console`.
 */
const isAsked = process.env.TEST_TERMINALS === '1';

const TOOL = "path: /bin/bash, arguments: ['--norc'], environment: { PS1: '> ', HISTFILE: '' }";
const line = (script: string): string => `path: /bin/sh, arguments: ['-c', ${JSON.stringify(script)}]`;
const OPEN = "cci console open tool --reason 'port 7 does not train'; echo status $?";
const OPENER = 'cci:read cci:console';
const SECOND = 'cci:read cci:approve';

let broker: RealBroker;
const people: Person[] = [];

async function start(
  programs: { readonly [name: string]: string },
  section: readonly string[] = [],
  more: readonly string[] = [],
): Promise<void> {
  broker = await realBroker(programs, section, more);
}

async function person(subject: 'ann' | 'bob', scope: string): Promise<Person> {
  const one = await personAtShell({ CCI_URL: broker.url, CCI_TOKEN: await broker.token(subject, scope) });
  people.push(one);
  return one;
}

async function onlyRecording(): Promise<string> {
  await eventually(() => broker.recordings()).toHaveLength(1);
  return (await broker.recordings())[0] ?? '';
}

const verify = () => broker.cci('audit', 'verify');
const whole = async (): Promise<void> => {
  await eventually(async () => (await verify()).out).toContain('is whole and as it was written');
};

afterEach(async () => {
  for (const one of people.splice(0)) one.close();
  await broker?.close();
});

describe.runIf(isAsked)('a console over the real broker', { timeout: 120_000 }, () => {
  test('vim draws, follows a resize and leaves the screen as it was; all of it is recorded', async () => {
    await start({ tool: TOOL });
    const ann = await person('ann', OPENER);
    const before = await ann.settings();
    ann.type(`${OPEN}\r`);
    await ann.sees(/\n>$/);
    ann.type(`vim -u NONE -c 'set number' ${process.cwd()}/LICENSE\r`);
    await ann.sees(/ 1\s+.*Apache License/);
    ann.resize(80, 20);
    ann.type('\u000cG');
    await ann.sees(/202 .*limitations under the License/);
    ann.type(':q\r');
    await eventually(() => ann.screen.modes().alternate).toBe(false);
    ann.type('exit\r');
    await ann.sees(/has ended: the program has ended \(exited, status 0\)\nrecording/);
    expect(await ann.settings()).toBe(before);
    const id = await onlyRecording();
    expect((await broker.recorded(id, 'r')).toString()).toContain('80x20');
    expect((await broker.recorded(id)).toString()).toContain('\u001b[?1049h');
    await whole();
  });

  test('a password that is typed is not in the recording, and what is echoed is', async () => {
    await start({ tool: TOOL });
    const ann = await person('ann', OPENER);
    ann.type(`${OPEN}\r`);
    await ann.sees(/\n>$/);
    ann.type('echo r$((1+1))y; cat\r');
    await ann.sees('r2y');
    ann.type('seen by all\r');
    await ann.sees(/seen by all\nseen by all/);
    ann.type('\u0004');
    await ann.sees(/seen by all\nseen by all\n>$/);
    ann.type("read -s -p 'Password: ' x; echo $((1+1)) got it\r");
    await ann.sees('Password: ');
    ann.type('hunter2secret\r');
    await ann.sees('2 got it');
    ann.type('exit\r');
    await ann.sees('status 0');
    const id = await onlyRecording();
    const parts = await Promise.all((['o', 'i', 'm'] as const).map((code) => broker.recorded(id, code)));
    const all = Buffer.concat(parts).toString();
    expect(all).not.toMatch(/hunter|secret|2secret/);
    expect(parts[1]?.toString()).toContain('seen by all');
    expect(parts[2]?.toString()).toContain('was not recorded');
  });

  test('ten megabytes for somebody who reads slowly: nothing is missing, and the broker stays small', async () => {
    await start({ tool: line('yes 0123456789abcdef | head -c 10000000; echo; echo the end of it; sleep 1') });
    const ann = await person('ann', OPENER);
    ann.type(`${OPEN}\r`);
    await eventually(() => ann.raw).toContain('0123456789abcdef\r');
    let most = 0;
    for (let i = 0; i < 8; i++) {
      ann.terminal.pause();
      await new Promise((resolve) => setTimeout(resolve, 250));
      most = Math.max(most, residentMiB(broker.process.pid ?? 0));
      ann.terminal.resume();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await ann.sees('status 0', 90_000);
    expect(most).toBeLessThan(400);
    const output = await broker.recorded(await onlyRecording());
    // The terminal makes two characters of each line feed.
    const lines = output.toString().split('\r\n');
    expect(lines.filter((one) => one === '0123456789abcdef').length).toBe(Math.floor(10_000_000 / 17));
    expect(lines).toContain('the end of it');
    await whole();
  });

  test('binary garbage is recorded byte for byte and shown again without harm', async () => {
    await start({
      tool: line('stty raw -echo; head -c 200000 /dev/urandom; sleep 1'),
    });
    const ann = await person('ann', OPENER);
    ann.type(`${OPEN}\r`);
    await eventually(() => ann.raw.length).toBeGreaterThan(100_000);
    await ann.sees(/status \d/, 60_000);
    const id = await onlyRecording();
    expect((await broker.recorded(id)).length).toBe(200_000);
    const screen = screenOf(100, 30);
    const { out } = await broker.cci('console', 'play', id, '--key', broker.privateKeyFile, '--text');
    await screen.write(out);
    expect(screen.answers).toBe('');
    expect(screen.modes()).toEqual({ alternate: false, insert: false, origin: false, wrap: true });
  });

  test('a replay of an attack on terminals does nothing to the one who looks', async () => {
    const attack = String.raw`\033]0;owned\007\033]52;c;b3duZWQ=\007\033[6n\033[c\033P+q544e\033\\\\\033[?2004h\033[?1000h\033[8;1;1t\0235n`;
    await start({ tool: line(`printf '${attack}'; echo harmless; sleep 1`) });
    const ann = await person('ann', OPENER);
    ann.type(`${OPEN}\r`);
    await ann.sees('status 0', 20_000);
    const id = await onlyRecording();
    const bob = await personAtShell({});
    people.push(bob);
    const before = await bob.settings();
    const from = bob.raw.length;
    bob.type(
      `cci console play ${id} --config ${broker.directory}/broker.yaml --key ${broker.privateKeyFile} --speed 10\r`,
    );
    await bob.sees(/not shown, for your terminal's sake: /);
    const seen = bob.raw.slice(from);
    expect(seen).toContain('harmless');
    for (const forbidden of ['\u001b]0;owned', '\u001b]52', '\u001b[6n', '\u001b[c', '\u001bP', '\u001b[8;1;1t']) {
      expect(seen).not.toContain(forbidden);
    }
    expect(bob.screen.answers).toBe('');
    expect(await bob.settings()).toBe(before);
  });

  test('a lost connection is taken up again: nothing is missing, nothing comes twice', async () => {
    await start({ tool: line('i=0; while [ $i -lt 400 ]; do i=$((i+1)); echo line-$i-; sleep 0.01; done') });
    const ann = await person('ann', OPENER);
    ann.type(`${OPEN}\r`);
    await eventually(() => ann.raw).toContain('line-20-');
    broker.cut();
    await eventually(() => ann.raw).toMatch(/no connection: [^\r]*trying until/);
    broker.mend();
    await eventually(() => ann.raw).toContain('connected again');
    await ann.sees('status 0', 30_000);
    const numbers = [...ann.raw.matchAll(/line-(\d+)-/g)].map(([, number]) => Number(number));
    expect(numbers).toEqual(Array.from({ length: 400 }, (_, i) => i + 1));
    await whole();
  });

  test('kill -9 of the client: the program waits for its time to come back, then it is ended, and the recording says so', async () => {
    await start({ tool: line('echo pid-$$-; sleep 1000') }, ['resume_ms: 1500']);
    const ann = await person('ann', OPENER);
    ann.type(`${OPEN}\r`);
    await ann.sees(/pid-\d+-/);
    const pid = Number(/pid-(\d+)-/.exec(ann.raw)?.[1]);
    execFileSync('pkill', ['-KILL', '-P', String(ann.terminal.pid)]);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(isAlive(pid)).toBe(true);
    await eventually(() => isAlive(pid)).toBe(false);
    const id = await onlyRecording();
    await eventually(async () => (await broker.recorded(id, 'm')).toString()).toContain('did not come back');
    await whole();
  });

  test('kill -9 of the broker: what was shown is in the recording, and what is linked can be relied on', async () => {
    await start({ tool: line('i=0; while :; do i=$((i+1)); echo line-$i-; sleep 0.003; done') });
    const ann = await person('ann', OPENER);
    ann.type(`${OPEN}\r`);
    // By then it may have left the screen.
    await eventually(() => ann.raw).toContain('line-500-');
    broker.process.kill('SIGKILL');
    await eventually(() => broker.process.signalCode).toBe('SIGKILL');
    broker.cut();
    await ann.sees('no connection');
    const shown = Number([...ann.raw.matchAll(/line-(\d+)-/g)].at(-1)?.[1]);
    const output = (await broker.recorded(await onlyRecording())).toString();
    expect(output).toContain(`line-${shown}-`);
    const { code, out } = await verify();
    expect(out).toMatch(/recording \S+ is as it was written so far up to second [1-9]/);
    expect([0, 1]).toContain(code);
    ann.type('\r~.');
    await ann.sees(/status \d/);
  });

  test('kill -9 of the program ends the session, and says by what', async () => {
    await start({ tool: line('echo pid-$$-; sleep 1000') });
    const ann = await person('ann', OPENER);
    ann.type(`${OPEN}\r`);
    await ann.sees(/pid-\d+-/);
    process.kill(Number(/pid-(\d+)-/.exec(ann.raw)?.[1]), 'SIGKILL');
    await ann.sees(/has ended: the program has ended \(exited, signal SIGKILL\)[\s\S]*status 1/);
    await whole();
  });

  test('kill -9 of the edge: the session goes on behind it, and is taken up again', async () => {
    const counting = 'i=0; while [ $i -lt 500 ]; do i=$((i+1)); echo line-$i-; sleep 0.02; done';
    await start({ tool: line(counting) }, [], ['edge: { process: separate }']);
    const ann = await person('ann', OPENER);
    ann.type(`${OPEN}\r`);
    await eventually(() => ann.raw).toContain('line-20-');
    const edges = execFileSync('ps', ['--ppid', String(broker.process.pid), '-o', 'pid=,args='])
      .toString()
      .split('\n');
    const edge = edges.find((one) => /edge/.test(one));
    process.kill(Number(/\d+/.exec(edge ?? '')?.[0]), 'SIGKILL');
    await eventually(() => ann.raw).toMatch(/no connection: [^\r]*trying until/);
    await eventually(() => ann.raw).toContain('connected again');
    await ann.sees('status 0', 40_000);
    const numbers = [...ann.raw.matchAll(/line-(\d+)-/g)].map(([, number]) => Number(number));
    expect(numbers).toEqual(Array.from({ length: 500 }, (_, i) => i + 1));
    await whole();
  });

  test.each(['same', 'separate'])(
    'a broker that is stopped says so, and nobody tries to come back (edge: %s)',
    async (edge) => {
      await start({ tool: TOOL }, [], [`edge: { process: ${edge} }`]);
      const ann = await person('ann', OPENER);
      ann.type(`${OPEN}\r`);
      await ann.sees(/\n>$/);
      broker.process.kill('SIGTERM');
      await ann.sees(/has ended: the broker is stopping \(broker-stopped/);
      await ann.sees('status 1');
      expect(ann.raw).not.toContain('no connection');
      await whole();
    },
  );

  test('two persons: one asks, the other says yes to the same digest, watches, and ends it', async () => {
    await start({ tool: TOOL }, ['approval: required', 'watcher: required', 'watcher_ms: 20000']);
    const [ann, bob] = [await person('ann', OPENER), await person('bob', SECOND)];
    ann.type(`${OPEN}\r`);
    await ann.sees(/cci console approve [0-9a-f-]{36}/);
    const request = /cci console approve ([0-9a-f-]{36})/.exec(ann.raw)?.[1];
    const digest = /digest ([0-9a-f]{64})/.exec(ann.raw)?.[1] ?? 'none';
    bob.type('cci console list\r');
    await bob.sees(/waiting[\s\S]*port 7 does not train/);
    bob.type(`cci console approve ${request}\r`);
    await bob.sees(new RegExp(digest));
    await bob.sees('want this to happen');
    bob.type('yes\r');
    await bob.sees('may open tool now');
    await ann.sees('THIS CONSOLE IS RECORDED');
    await ann.sees('paused: somebody has to watch');
    bob.type(`cci console watch ${await onlyRecording()}\r`);
    await bob.sees('watching tool of');
    await ann.sees('goes on: somebody watches');
    ann.type("printf '\\033]0;title\\007seen %s\\n' by-both\r");
    await bob.sees('seen by-both');
    expect(bob.raw).not.toContain('\u001b]0;title');
    bob.type('q');
    await bob.sees('you watch no more');
    await ann.sees(/paused: somebody has to watch[\s\S]*paused: somebody has to watch/);
    bob.type(`cci console kill ${await onlyRecording()} --reason 'wrong switch'\r`);
    await ann.sees(/has ended: .*wrong switch.*\(killed/);
    const markers = (await broker.recorded(await onlyRecording(), 'm')).toString();
    expect(markers).toMatch(/#bob watches\n[\s\S]*#bob watches no more/);
  });
});

test('TEST_TERMINALS=1 runs the tests of consoles over the real broker', () => {
  if (process.env.CI_REQUIRE_TERMINALS === '1') expect(isAsked).toBe(true);
});

function residentMiB(pid: number): number {
  return Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)]).toString()) / 1024;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
