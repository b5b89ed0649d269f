import type { CastEvent, OpenRecording } from '../../broker/recording/index.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { parseDuration } from '../numbers.ts';
import { paint } from '../paint.ts';
import { safe, safeJson } from '../safe-text.ts';
import { LocalError, UsageError } from '../usage-error.ts';
import { momentText, parseMoment } from './moments.ts';
import { PlainText, type ReadLine } from './plain-text.ts';
import { openNamed, type RecordingFlags } from './recording-place.ts';

export interface PlayFlags extends RecordingFlags {
  readonly speed?: string;
  readonly idleLimit?: string;
  readonly from?: string;
  readonly to?: string;
  readonly search?: string;
  readonly text?: boolean;
  readonly json?: boolean;
}

/** What of a recording is wanted. */
export interface Range {
  readonly fromMs: number;
  readonly toMs: number;
}

/** `cci console play FILE|ID`: shows a recording again, or what is in it. Ends with 1 when a search finds nothing. */
export async function play(io: Io, name: string, flags: PlayFlags): Promise<ExitCode> {
  const speed = Number(flags.speed ?? '1');
  if (!(speed > 0 && speed <= 1000)) throw new UsageError(`\`${flags.speed}\` is no speed`, 'give 0.1 to 1000');
  const range = {
    fromMs: flags.from === undefined ? 0 : parseMoment(flags.from),
    toMs: flags.to === undefined ? Number.POSITIVE_INFINITY : parseMoment(flags.to),
  };
  const idleMs = flags.idleLimit === undefined ? Number.POSITIVE_INFINITY : parseDuration(flags.idleLimit);
  if (flags.search === '') throw new UsageError('there is nothing to search for', 'give --search a text');
  const recording = await openNamed(name, flags);
  const isComplete = await withSentences(async () => {
    if (flags.search !== undefined) return search(io, recording, range, flags.search);
    if (flags.json === true) return asJson(io, recording, range);
    if (flags.text === true || !io.outIsTerminal) return asText(io, recording, range);
    const { replay } = await import('./replay.ts');
    return replay(io, recording, { ...range, speed, idleMs });
  });
  if (isComplete.state === 'cut') {
    io.err('the recording has no end: the session still runs, or the broker was stopped, or the file was cut\n');
  }
  io.err('`cci audit verify` says whether it is as it was written\n');
  return flags.search !== undefined && isComplete.found === 0 ? EXIT.failed : EXIT.done;
}

/** How the end of a recording was found. */
export interface Played {
  /** `left`: not all of it was looked at. */
  readonly state: 'whole' | 'cut' | 'left';
  /** Of a search. */
  readonly found: number;
}

async function withSentences(use: () => Promise<Played>): Promise<Played> {
  const { RecordingError } = await import('../../broker/recording/index.ts');
  try {
    return await use();
  } catch (error) {
    if (!(error instanceof RecordingError)) throw error;
    throw new LocalError(error.message, '`cci audit verify` says up to where it can be relied on');
  }
}

/** Gives the events of a range to `each` until there is no more of it, or `each` says false. */
export async function walk(
  recording: OpenRecording,
  toMs: number,
  each: (event: CastEvent) => Promise<boolean> | boolean,
): Promise<Played['state']> {
  const events = recording.events();
  try {
    for (;;) {
      const next = await events.next();
      if (next.done === true) return next.value.isComplete ? 'whole' : 'cut';
      if (next.value.elapsedMs > toMs) return 'left';
      if (!(await each(next.value))) return 'left';
    }
  } finally {
    await events.return({ isComplete: false });
  }
}

type Source = 'output' | 'input' | 'marker';

/** Readable lines of a range, as they ended. */
async function lines(
  recording: OpenRecording,
  { fromMs, toMs }: Range,
  each: (source: Source, line: ReadLine) => void,
): Promise<Played['state']> {
  const [output, input] = [new PlainText(), new PlainText()];
  const give = (source: Source, found: readonly ReadLine[]): void => {
    for (const line of found) if (line.endMs >= fromMs) each(source, line);
  };
  const state = await walk(recording, toMs, ({ code, elapsedMs, bytes, text }) => {
    if (code === 'o') give('output', output.take(bytes, elapsedMs));
    else if (code === 'i') give('input', input.take(bytes, elapsedMs));
    else {
      give('output', output.flush());
      give('input', input.flush());
      give('marker', [{ elapsedMs, endMs: elapsedMs, text: code === 'r' ? `the size is now ${text}` : text }]);
    }
    return true;
  });
  give('input', input.end());
  give('output', output.end());
  return state;
}

const SIGNS: { readonly [S in Source]: string } = { output: ' ', input: '<', marker: '#' };

async function asText(io: Io, recording: OpenRecording, range: Range): Promise<Played> {
  const { bold } = paint(io);
  const { title, timestamp, cci, width, height } = recording.header;
  const begun = new Date(timestamp * 1000).toISOString();
  io.out(`${bold(safe(title))}  ${safe(cci.principal)}, ${begun}, ${width}x${height}\n`);
  const state = await lines(recording, range, (source, line) => io.out(lineText(source, line)));
  return { state, found: 0 };
}

async function search(io: Io, recording: OpenRecording, range: Range, text: string): Promise<Played> {
  const wanted = text.toLowerCase();
  let found = 0;
  const state = await lines(recording, range, (source, line) => {
    if (!line.text.toLowerCase().includes(wanted)) return;
    found += 1;
    io.out(lineText(source, line));
  });
  if (found === 0) io.err(`\`${safe(text)}\` is not in it\n`);
  return { state, found };
}

function lineText(source: Source, { elapsedMs, text }: ReadLine): string {
  return `${momentText(elapsedMs).padStart(9)} ${SIGNS[source]} ${safe(text)}\n`;
}

async function asJson(io: Io, recording: OpenRecording, { fromMs, toMs }: Range): Promise<Played> {
  io.out(`${safeJson({ ...recording.header, encrypted: recording.isEncrypted }, 0)}\n`);
  const state = await walk(recording, toMs, ({ elapsedMs, code, text, bytes }) => {
    if (elapsedMs < fromMs) return true;
    const exact = code === 'o' || code === 'i' ? { bytes: Buffer.from(bytes).toString('base64') } : {};
    io.out(`${safeJson({ elapsedMs, code, text, ...exact }, 0)}\n`);
    return true;
  });
  return { state, found: 0 };
}
