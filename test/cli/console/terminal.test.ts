import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { type Person, personAtShell } from './person.ts';

/** Replays, and the terminal itself, in a real terminal: `npm run test:console`. */
const isAsked = process.env.TEST_TERMINALS === '1';

let directory = '';
let person: Person;

afterEach(async () => {
  person.close();
  await rm(directory, { recursive: true, force: true });
});

async function recording(): Promise<string> {
  directory = await mkdtemp(join(tmpdir(), 'replay-'));
  const path = join(directory, 'a.cast');
  const events = [
    [0, 'o', 'first\r\n'],
    [0.1, 'o', '\u001b[?1049h\u001b[?25l\u001b[2;5r\u001b[31mfull screen\u001b]0;owned\u0007\u001b[6n'],
    [1000, 'o', 'late'],
    [1000.1, 'x', 'end'],
  ];
  const lines = [{ version: 2, width: 80, height: 24 }, ...events].map((line) => JSON.stringify(line));
  await writeFile(path, `${lines.join('\n')}\n`);
  return path;
}

async function unharmed(before: string): Promise<void> {
  expect(await person.settings()).toBe(before);
  expect(person.screen.modes()).toEqual({ alternate: false, insert: false, origin: false, wrap: true });
  expect(person.raw.lastIndexOf('\u001b[?25h')).toBeGreaterThan(person.raw.lastIndexOf('\u001b[?25l'));
  expect(person.screen.answers).toBe('');
}

describe.runIf(isAsked)('a replay', () => {
  test.each([
    ['is ended with q', 'q'],
    ['is ended with Ctrl-C', '\u0003'],
    ['goes on faster with +', '+'.repeat(14)],
  ])('%s, and the terminal is as it was', async (_name, keys) => {
    const path = await recording();
    person = await personAtShell({});
    const before = await person.settings();
    person.type(`cci console play ${path}; echo status $?\r`);
    await person.sees('full screen');
    expect(person.screen.modes().alternate).toBe(true);
    person.type(keys);
    await person.sees(/end at .*[\s\S]*not shown, for your terminal's sake: 1 title, 1 question[\s\S]*status 0/);
    await unharmed(before);
  });

  test('stands still while it is told to, and shows what comes late at once when its pauses are short', async () => {
    const path = await recording();
    person = await personAtShell({});
    person.type(`cci console play ${path} --idle-limit 1s; echo status $?\r`);
    await person.sees('full screen');
    person.type(' ');
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect(person.raw).not.toContain('late');
    person.type(' ');
    await person.sees(/end at 16:40\.0\n[\s\S]*status 0/);
  });

  test('that is ended by SIGTERM leaves the terminal as it was', async () => {
    const path = await recording();
    person = await personAtShell({});
    const before = await person.settings();
    person.type(`cci console play ${path}; echo status $?\r`);
    await person.sees('full screen');
    const { execFileSync } = await import('node:child_process');
    execFileSync('pkill', ['-TERM', '-P', String(person.terminal.pid)]);
    await person.sees(/status \d/);
    await unharmed(before);
  });
});

describe.runIf(isAsked)('the terminal is given back', () => {
  test.each([
    ['after an exception that nobody catches', 'setTimeout(() => { throw new Error("boom"); }, 300)'],
    ['after a rejection that nobody catches', 'setTimeout(() => Promise.reject(new Error("boom")), 300)'],
    ['after process.exit', 'setTimeout(() => process.exit(7), 300)'],
  ])('%s', async (_name, ending) => {
    directory = await mkdtemp(join(tmpdir(), 'terminal-'));
    const script = join(directory, 'crash.ts');
    const module = new URL('../../../src/cli/console/local-terminal.ts', import.meta.url).href;
    await writeFile(
      script,
      `import { LocalTerminal } from ${JSON.stringify(module)};\n` +
        'const terminal = new LocalTerminal(() => "\\u001b[?1049l\\u001b[?25h");\n' +
        `await terminal.write("\\u001b[?1049h\\u001b[?25lfull screen");\n${ending};\n`,
    );
    person = await personAtShell({});
    const before = await person.settings();
    person.type(`${process.execPath} ${script} 2>/dev/null; echo status $?\r`);
    await person.sees('full screen');
    await person.sees(/status [1-9]/);
    await unharmed(before);
  });
});
