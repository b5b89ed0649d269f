import type { OpenRecording } from '../../broker/recording/index.ts';
import type { Io } from '../io.ts';
import { safe } from '../safe-text.ts';
import { leftOutText } from './left-out.ts';
import { LocalTerminal } from './local-terminal.ts';
import { momentText } from './moments.ts';
import { type Played, type Range, walk } from './play.ts';
import { TerminalFilter } from './terminal-filter.ts';

export interface ReplayOptions extends Range {
  /** How many times as fast as it was. */
  readonly speed: number;
  /** Longest pause, in milliseconds at normal speed. */
  readonly idleMs: number;
}

/** Shows a recording on the terminal in its own time. Space stops it and goes on, `+` and `-` change the speed, `q` ends it. */
export async function replay(io: Io, recording: OpenRecording, options: ReplayOptions): Promise<Played> {
  const { title, cci, width, height, timestamp } = recording.header;
  const begun = new Date(timestamp * 1000).toISOString();
  io.err(`${safe(title)}, ${safe(cci.principal)}, ${begun}, ${width}x${height}\n`);
  const { columns = 80, rows = 24 } = process.stdout;
  if (columns < width || rows < height) io.err(`your terminal is smaller (${columns}x${rows}): lines will break\n`);

  const filter = new TerminalFilter();
  const keys = new Keys(options.speed);
  const terminal = process.stdin.isTTY === true ? new LocalTerminal(() => filter.resetText()) : undefined;
  const show = async (text: string): Promise<void> => {
    if (terminal === undefined) io.out(text);
    else await terminal.write(text);
  };
  terminal?.onInput((bytes) => keys.take(bytes));
  terminal?.told.addEventListener('abort', () => keys.end());
  if (terminal !== undefined) io.err('space: stop and go on; + and -: speed; q: end\r\n');
  let atMs = options.fromMs;
  let state: Played['state'];
  try {
    state = await walk(recording, options.toMs, async ({ code, elapsedMs, bytes }) => {
      // What comes before the beginning is shown at once: the screen is then as it was.
      const pauseMs = elapsedMs <= options.fromMs ? 0 : Math.min(elapsedMs - atMs, options.idleMs);
      atMs = Math.max(atMs, elapsedMs);
      await keys.pause(pauseMs);
      if (code === 'o' && !keys.isOver) await show(filter.take(bytes));
      return !keys.isOver;
    });
    await show(filter.end());
  } finally {
    terminal?.restore();
  }
  io.err(`\nend at ${momentText(atMs)}${keys.isOver ? ', by you' : ''}\n`);
  const left = leftOutText(filter.leftOut);
  if (left !== '') io.err(`${left}\n`);
  return { state: keys.isOver ? 'left' : state, found: 0 };
}

/** Pauses that the keys change. */
class Keys {
  #speed: number;
  #isStopped = false;
  #isOver = false;
  #wake: () => void = () => undefined;

  constructor(speed: number) {
    this.#speed = speed;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  end(): void {
    this.#isOver = true;
    this.#wake();
  }

  take(bytes: Uint8Array): void {
    for (const byte of bytes) {
      const key = String.fromCharCode(byte);
      // Ctrl-C and Ctrl-D as well.
      if (key === 'q' || byte === 3 || byte === 4) this.end();
      else if (key === ' ') this.#isStopped = !this.#isStopped;
      else if (key === '+') this.#speed = Math.min(1000, this.#speed * 2);
      else if (key === '-') this.#speed = Math.max(0.1, this.#speed / 2);
    }
    this.#wake();
  }

  /** Waits a time of the recording. */
  async pause(ms: number): Promise<void> {
    for (let left = ms; (left > 0 || this.#isStopped) && !this.#isOver; ) {
      const [sinceMs, speed, isStopped] = [performance.now(), this.#speed, this.#isStopped];
      await new Promise<void>((resolve) => {
        const timer = isStopped ? undefined : setTimeout(resolve, Math.min(left / speed, 0x7fff_ffff));
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      if (!isStopped) left -= (performance.now() - sinceMs) * speed;
    }
  }
}
