import { createRequire } from 'node:module';
import type { Terminal as TerminalType } from '@xterm/headless';

const { Terminal }: { Terminal: typeof TerminalType } = createRequire(import.meta.url)('@xterm/headless');

/** A terminal without a window: what is seen after something was written to it. */
export interface Screen {
  write(data: string | Uint8Array): Promise<void>;
  /** What the terminal answered to questions. */
  readonly answers: string;
  line(row: number): string;
  text(): string;
  resize(columns: number, rows: number): void;
  modes(): { readonly alternate: boolean; readonly insert: boolean; readonly origin: boolean; readonly wrap: boolean };
}

export function screenOf(columns: number, rows: number): Screen {
  const terminal = new Terminal({ cols: columns, rows, allowProposedApi: true, scrollback: 10_000, logLevel: 'off' });
  let answers = '';
  terminal.onData((data) => {
    answers += data;
  });
  const line = (row: number): string => {
    const buffer = terminal.buffer.active;
    return buffer.getLine(buffer.baseY + row)?.translateToString(true) ?? '';
  };
  return {
    write: (data) => new Promise((resolve) => terminal.write(data, resolve)),
    get answers() {
      return answers;
    },
    line,
    text: () =>
      Array.from({ length: terminal.rows }, (_, row) => line(row))
        .join('\n')
        .trimEnd(),
    resize: (width, height) => terminal.resize(width, height),
    modes: () => ({
      alternate: terminal.buffer.active.type === 'alternate',
      insert: terminal.modes.insertMode,
      origin: terminal.modes.originMode,
      wrap: terminal.modes.wraparoundMode,
    }),
  };
}
