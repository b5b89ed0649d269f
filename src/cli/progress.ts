import type { Operation } from '../client/index.ts';
import type { Io } from './io.ts';
import { safe } from './safe-text.ts';

const WIDTH = 20;
/** Steps of percent at which a line is printed where there is no terminal. */
const STEP = 10;
/** Longest silence where there is none. */
const QUIET_MS = 15_000;

/** Shows how an operation gets on: a bar that is drawn over on a terminal, a line now and then anywhere else. */
export class Progress {
  readonly #io: Io;
  readonly #nowMs: () => number;
  readonly #beganMs: number;
  #drawn = 0;
  #toldPercent = -STEP;
  #toldMs = 0;
  #toldOverdue = false;

  constructor(io: Io, nowMs: () => number = Date.now) {
    this.#io = io;
    this.#nowMs = nowMs;
    this.#beganMs = nowMs();
    this.#toldMs = this.#beganMs;
  }

  /** @param note what is to be said beside it, of our own making */
  show(operation: Operation, note = ''): void {
    if (this.#io.errIsTerminal) this.#draw(`${bar(operation)} ${this.#elapsed()}${note === '' ? '' : `  ${note}`}`);
    else this.#tell(operation, note);
    if (operation.overdue === true && !this.#toldOverdue) {
      this.#toldOverdue = true;
      this.line('it waits for its host longer than the operators of the broker allow for; it goes on waiting');
    }
  }

  /** A line of its own; the bar goes on below it. */
  line(text: string): void {
    this.#io.err(`${this.#drawn > 0 ? '\n' : ''}${text}\n`);
    this.#drawn = 0;
  }

  /** Leaves the bar as it stands. */
  end(): void {
    if (this.#drawn > 0) this.#io.err('\n');
    this.#drawn = 0;
  }

  #draw(text: string): void {
    // What was drawn before may have been longer.
    this.#io.err(`\r${text.padEnd(this.#drawn)}`);
    this.#drawn = text.length;
  }

  #tell(operation: Operation, note: string): void {
    const percent = percentOf(operation);
    const isNews = percent >= this.#toldPercent + STEP || percent < this.#toldPercent;
    if (note === '' && !isNews && this.#nowMs() - this.#toldMs < QUIET_MS) return;
    this.#toldPercent = percent;
    this.#toldMs = this.#nowMs();
    this.#io.err(`${safe(operation.command)} ${percent}% ${this.#elapsed()}${note === '' ? '' : ` ${note}`}\n`);
  }

  #elapsed(): string {
    const seconds = (this.#nowMs() - this.#beganMs) / 1000;
    return seconds < 60 ? `${seconds.toFixed(1)} s` : `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
  }
}

function percentOf({ percent }: Operation): number {
  return Math.max(0, Math.min(100, Math.round(percent)));
}

function bar(operation: Operation): string {
  const percent = percentOf(operation);
  const filled = Math.round((percent * WIDTH) / 100);
  return `${safe(operation.command)} [${'#'.repeat(filled)}${'.'.repeat(WIDTH - filled)}] ${String(percent).padStart(3)}%`;
}
