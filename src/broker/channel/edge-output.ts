import type { Readable } from 'node:stream';
import type { Logger } from 'pino';

const MOST_LINE = 4096;
const LINES_PER_SECOND = 100;
const levels = { 10: 'trace', 20: 'debug', 30: 'info', 40: 'warn', 50: 'error', 60: 'fatal' } as const;

/**
 * What the edge writes to its standard streams, as lines of the broker's own log: whatever it says stands under `edge`,
 * bounded in length and in number, so that it cannot pass for the core's or fill the disk.
 */
export class EdgeOutput {
  private readonly log: Logger;
  private rest = '';
  private sinceMs = Number.NEGATIVE_INFINITY;
  private lines = 0;
  private dropped = 0;
  /** The last lines, for whoever wants to know why it has ended. */
  readonly last: string[] = [];

  constructor(log: Logger) {
    this.log = log;
  }

  read(stream: Readable): void {
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => this.take(text));
    stream.on('error', () => stream.destroy());
  }

  private take(text: string): void {
    const parts = (this.rest + text).split('\n');
    this.rest = (parts.pop() ?? '').slice(0, MOST_LINE);
    for (const line of parts) if (line !== '') this.line(line.slice(0, MOST_LINE));
  }

  private line(line: string): void {
    const nowMs = performance.now();
    if (nowMs - this.sinceMs > 1000) {
      if (this.dropped > 0) this.log.warn({ lines: this.dropped }, 'the edge said more than is kept');
      this.sinceMs = nowMs;
      this.lines = 0;
      this.dropped = 0;
    }
    this.lines += 1;
    if (this.lines > LINES_PER_SECOND) {
      this.dropped += 1;
      return;
    }
    const { level, said } = readLine(line);
    if (typeof said === 'string') this.last.push(said);
    if (this.last.length > 20) this.last.shift();
    this.log[level]({ edge: said }, 'the edge says');
  }
}

/** A line of its log, or any other text. */
function readLine(line: string): { readonly level: (typeof levels)[keyof typeof levels]; readonly said: unknown } {
  const number = Number(/^\{"level":(10|20|30|40|50|60),/.exec(line)?.[1]);
  const level = Object.hasOwn(levels, number) ? levels[number as keyof typeof levels] : undefined;
  if (level === undefined) return { level: 'warn', said: line };
  try {
    const {
      level: _level,
      time: _time,
      pid: _pid,
      hostname: _hostname,
      ...said
    } = JSON.parse(line) as {
      readonly [name: string]: unknown;
    };
    return { level, said };
  } catch {
    return { level: 'warn', said: line };
  }
}
