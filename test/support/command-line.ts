import type { ExitCode } from '../../src/cli/exit-codes.ts';
import { runCli } from '../../src/cli/run-cli.ts';
import { createHttpEdge, type HttpEdge } from '../../src/edge/index.ts';
import { type FakeCore, fakeCore, GOOD_TOKEN } from './fake-core.ts';

export interface Ran {
  readonly code: ExitCode;
  readonly out: string;
  readonly err: string;
}

export interface RunOptions {
  readonly env?: { readonly [name: string]: string };
  readonly terminal?: boolean;
  /** Ends `serve`, `emulate` and `--follow`. */
  readonly told?: AbortSignal;
  /** Sees stdout as it is written. */
  readonly onOut?: (text: string) => void;
  /** Sees stderr as it is written. */
  readonly onErr?: (text: string) => void;
}

/** Runs `cci` in this process. */
export async function cli(words: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const written = { out: '', err: '' };
  const code = await runCli(
    {
      out: (text) => {
        written.out += text;
        options.onOut?.(text);
      },
      err: (text) => {
        written.err += text;
        options.onErr?.(text);
      },
      env: options.env ?? {},
      outIsTerminal: options.terminal === true,
      errIsTerminal: options.terminal === true,
      untilTold: () => options.told ?? AbortSignal.abort(),
    },
    words,
  );
  return { code, ...written };
}

/** A command line whose broker is an edge in front of a core that the test makes up. */
export interface FakeBroker {
  readonly core: FakeCore;
  readonly url: string;
  readonly env: { readonly [name: string]: string };
  run(line: string | readonly string[], options?: RunOptions): Promise<Ran>;
  close(): Promise<void>;
}

export async function fakeBroker(replace: Parameters<typeof fakeCore>[0] = {}): Promise<FakeBroker> {
  const core = fakeCore(replace);
  const edge: HttpEdge = createHttpEdge(core, { limits: { shutdownMs: 200 } });
  const { url } = await edge.listen('127.0.0.1', 0);
  const env = { CCI_URL: url, CCI_TOKEN: GOOD_TOKEN };
  return {
    core,
    url,
    env,
    run: (line, options = {}) =>
      cli(typeof line === 'string' ? words(line) : line, { ...options, env: { ...env, ...options.env } }),
    close: () => edge.close(),
  };
}

/** Words of a command line; single and double quotes hold blanks together. */
export function words(line: string): readonly string[] {
  return Array.from(
    line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g),
    ([, single, double, bare]) => single ?? double ?? bare ?? '',
  );
}
