import { createRequire } from 'node:module';

/** As much of node-pty as tests use; its types are no module. */
export interface Pty {
  readonly pid: number;
  write(data: string | Uint8Array): void;
  resize(columns: number, rows: number): void;
  pause(): void;
  resume(): void;
  kill(signal?: string): void;
  onData(listener: (data: Buffer) => void): void;
  onExit(listener: (exit: { readonly exitCode: number; readonly signal?: number }) => void): void;
}

interface SpawnOptions {
  readonly cols: number;
  readonly rows: number;
  readonly cwd?: string;
  readonly env?: { readonly [name: string]: string | undefined };
}

const library: {
  spawn(file: string, words: readonly string[], options: SpawnOptions & { encoding: null; name: string }): Pty;
} = createRequire(import.meta.url)('node-pty');

/** A program on a terminal of its own; its output comes as bytes. */
export function spawnOnTerminal(file: string, words: readonly string[], options: SpawnOptions): Pty {
  return library.spawn(file, words, { ...options, encoding: null, name: 'xterm-256color' });
}
