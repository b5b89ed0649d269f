import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { type Pty, spawnOnTerminal } from './pty.ts';
import { type Screen, screenOf } from './screen.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** Somebody at a real terminal, in a shell, who types and looks. */
export interface Person {
  readonly screen: Screen;
  /** Everything that came to the terminal. */
  readonly raw: string;
  readonly terminal: Pty;
  type(text: string): void;
  /** Waits until the text is on the screen, or behind it. */
  sees(text: string | RegExp, timeoutMs?: number): Promise<void>;
  resize(columns: number, rows: number): void;
  /** `stty -g`, as the shell says it now. */
  settings(): Promise<string>;
  close(): void;
}

/** A shell whose `cci` is the real one. */
export async function personAtShell(
  env: { readonly [name: string]: string },
  columns = 100,
  rows = 30,
): Promise<Person> {
  const screen = screenOf(columns, rows);
  const terminal = spawnOnTerminal('/bin/sh', [], {
    cols: columns,
    rows,
    cwd: ROOT,
    env: { PATH: process.env.PATH, HOME: '/tmp', TERM: 'xterm-256color', LANG: 'C.UTF-8', PS1: '$ ', ...env },
  });
  let raw = '';
  let written: Promise<void> = Promise.resolve();
  const decoder = new TextDecoder();
  terminal.onData((data) => {
    raw += decoder.decode(data, { stream: true });
    written = written.then(() => screen.write(data));
  });
  const person: Person = {
    screen,
    get raw() {
      return raw;
    },
    terminal,
    type: (text) => terminal.write(text),
    async sees(text, timeoutMs = 15_000) {
      await expect
        .poll(
          async () => {
            await written;
            return screen.text();
          },
          { timeout: timeoutMs, interval: 20 },
        )
        .toMatch(text);
    },
    resize(width, height) {
      screen.resize(width, height);
      terminal.resize(width, height);
    },
    async settings() {
      const mark = `s${Math.random().toString(36).slice(2)}`;
      terminal.write(`echo ${mark}:$(stty -g):\r`);
      await expect.poll(() => raw, { timeout: 10_000, interval: 20 }).toMatch(new RegExp(`${mark}:[0-9a-f:]{20,}:`));
      return new RegExp(`${mark}:([0-9a-f:]{20,}):`).exec(raw)?.[1] ?? '';
    },
    close: () => terminal.kill('SIGKILL'),
  };
  terminal.write(`cci() { ${process.execPath} src/cli/main.ts "$@"; }; echo ready-$((1+1))\r`);
  await person.sees('ready-2');
  return person;
}
