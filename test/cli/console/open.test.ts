import { afterEach, describe, expect, test } from 'vitest';
import { cli } from '../../support/command-line.ts';
import { eventually } from '../../support/eventually.ts';
import { type FakeConsole, type FakeOptions, fakeConsole } from './fake-console.ts';
import { type Person, personAtShell } from './person.ts';

/** `cci console open` in a real terminal, against a broker that is made up and a program that is real. */

/** The rest of them: `npm run test:console`. */
const isAsked = process.env.TEST_TERMINALS === '1';

const OPEN = "cci console open vendor-tool --reason 'port 7 does not train'";
const SHELL = ['/bin/sh'];
let broker: FakeConsole;
let person: Person;

afterEach(async () => {
  person?.close();
  await broker?.close();
});

async function sit(options: FakeOptions): Promise<void> {
  broker = await fakeConsole(options);
  person = await personAtShell({ CCI_URL: broker.url, CCI_TOKEN: 'x' });
}

test('one types, sees, resizes and leaves; the terminal is as it was', async () => {
  await sit({ run: ['/bin/sh', '-c', 'PS1="> " exec /bin/sh'] });
  const before = await person.settings();
  person.type(`${OPEN}; echo status $?\r`);
  await person.sees('THIS CONSOLE IS RECORDED');
  person.type('echo "ä€$((40+2))"; stty size\r');
  await person.sees(/ä€42\n30 100/);
  person.resize(90, 20);
  await eventually(() => broker.heard).toContainEqual({ type: 'resize', columns: 90, rows: 20 });
  person.type('stty size\r');
  await person.sees('20 90');
  // Ctrl-C is the program's.
  person.type('sleep 100\r');
  await eventually(() => person.raw).toContain('sleep 100');
  person.type('\u0003');
  person.type('echo st$((1+1))ll here\r');
  await person.sees('st2ll here');
  person.type('\r~.');
  await person.sees(
    /the console has ended: it was closed \(closed\)\nrecording 0198f7c2.*: `cci console play 0198f7c2/,
  );
  await person.sees('status 0');
  expect(await person.settings()).toBe(before);
});

test('what is typed while the connection is lost arrives once it is back, and nothing is shown twice', async () => {
  await sit({ run: ['/bin/sh', '-c', 'PS1="> " exec /bin/sh'] });
  person.type(`${OPEN}\r`);
  await person.sees('vendor-tool on sw0');
  person.type('echo one\r');
  await person.sees(/\none/);
  broker.refuse(true);
  broker.cut();
  await person.sees(/no connection: .*trying until/);
  person.type('echo t$((1+1))o\r');
  broker.refuse(false);
  await person.sees('connected again');
  await person.sees(/\nt2o/);
  expect(person.screen.text().match(/\none/g)).toHaveLength(1);
  const resumed = broker.heard.find(({ type }) => type === 'resume');
  expect(resumed).toMatchObject({ session: '0198f7c2-2b7e-7cc3-9c0c-3f5f6f0e1d2a', seat: 'seat-word' });
});

test.runIf(isAsked)(
  'a connection that does not come back ends it, with a sentence and the id of the recording',
  async () => {
    await sit({ run: SHELL, resumeMs: 700 });
    const before = await person.settings();
    person.type(`${OPEN}; echo status $?\r`);
    await person.sees('vendor-tool on sw0');
    broker.refuse(true);
    broker.cut();
    await person.sees(/recording 0198f7c2/);
    await person.sees(/cci: no connection for 1 s/);
    await person.sees('status 5');
    expect(await person.settings()).toBe(before);
  },
);

test.each(isAsked ? ['TERM', 'HUP', 'INT'] : ['TERM'])(
  'the terminal is given back when cci is ended by SIG%s',
  async (signal) => {
    await sit({ run: ['/bin/sh', '-c', 'printf "\\033[?1049h\\033[?25l\\033[?2004h\\033[31mfull screen"; exec cat'] });
    const before = await person.settings();
    person.type(`${OPEN}; echo status $?\r`);
    await person.sees('full screen');
    await endForeground(person, signal);
    await person.sees(/status \d/);
    expect(await person.settings()).toBe(before);
    expect(person.screen.modes().alternate).toBe(false);
    expect(person.raw).toContain('\u001b[?2004l');
    expect(person.raw.lastIndexOf('\u001b[?25h')).toBeGreaterThan(person.raw.lastIndexOf('\u001b[?25l'));
  },
);

test.runIf(isAsked)('a broker that talks nonsense ends it with an error, and the terminal is given back', async () => {
  await sit({ run: SHELL });
  const before = await person.settings();
  person.type(`${OPEN}; echo status $?\r`);
  await person.sees('vendor-tool on sw0');
  broker.output(1_000_000, Buffer.from('x'));
  await person.sees(/cci: the broker left \d+ bytes of output out/);
  await person.sees('status 5');
  expect(await person.settings()).toBe(before);
});

test.runIf(isAsked)('a line feed of a full-screen program stays one', async () => {
  await sit({ run: ['/bin/sh', '-c', 'stty raw; printf "\\033[2J\\033[Hab\\ncd"; sleep 100'] });
  person.type(`${OPEN}\r`);
  await person.sees(/ab\n {2}cd/);
});

test.runIf(isAsked)('a paste with the escape sequence in it does not end the console', async () => {
  await sit({ run: ['/bin/cat'] });
  person.type(`${OPEN}\r`);
  await person.sees('vendor-tool on sw0');
  person.type('first line\r~.\rlast line\r');
  await person.sees(/last line/);
  expect(broker.heard.some(({ type }) => type === 'close')).toBe(false);
});

test.runIf(isAsked)('the second person is asked for, with what to tell him', async () => {
  await sit({
    first: { type: 'waiting', request: 'req-1', digest: 'ab12', expires_at_ms: Date.now() + 60_000 },
  });
  person.type(`${OPEN}; echo status $?\r`);
  await person.sees(/cci console approve req-1 --switch sw0\n.*digest ab12/);
  // Not raw yet: Ctrl-C ends it.
  person.type('\u0003');
  await person.sees('$ ');
});

test.runIf(isAsked)('a refusal is a sentence', async () => {
  const problem = {
    ...{ type: 'about:blank', title: 'x', status: 403, code: 'EPERM', errno: 'EPERM', returnCode: 2 },
    ...{ detail: 'no grant', requestId: 'r' },
  };
  await sit({ first: { type: 'problem', problem } });
  person.type(`${OPEN}; echo status $?\r`);
  await person.sees(/cci: no grant \(EPERM, request r\)/);
  await person.sees('status 3');
});

describe('refuses to run', () => {
  test.each([
    [
      'where there is no terminal, and says what scripts do',
      ['console', 'open', 'x', '--reason', 'because of'],
      'needs a terminal',
    ],
    ['to watch where there is none', ['console', 'watch', 'x'], 'needs a terminal'],
  ])('%s', async (_name, words, message) => {
    expect(await cli(words)).toMatchObject({ code: 2, err: expect.stringContaining(message) });
  });

  test.runIf(isAsked)('without a reason, and with an escape character that is none', async () => {
    await sit({ run: SHELL });
    person.type('cci console open x; echo status $?\r');
    await person.sees(/say why: the journal keeps it[\s\S]*status 2/);
    person.type("cci console open x --reason 'case 4711' --escape ..; echo status $?\r");
    await person.sees(/is no escape character[\s\S]*status 2/);
  });
});

/** Signals the process group in the foreground of the person's terminal. */
async function endForeground({ terminal }: Person, signal: string): Promise<void> {
  const { execFileSync } = await import('node:child_process');
  const children = execFileSync('ps', ['--ppid', String(terminal.pid), '-o', 'pid='])
    .toString()
    .trim()
    .split(/\s+/);
  for (const pid of children) process.kill(Number(pid), `SIG${signal}` as NodeJS.Signals);
}
