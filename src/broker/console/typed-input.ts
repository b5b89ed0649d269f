import type { EchoState } from '../../backend/console/index.ts';
import type { Recording } from '../recording/index.ts';

/** How long the echo of a program that shows what is typed by itself may take. */
const ECHO_MS = 1000;
/** Keys that wait for their echo; more than that nobody types in a second, and what is pasted comes at once. */
const WAITING_MAX = 256;
/** Bytes of them: as much as the terminal itself takes at once. */
const WAITING_BYTES_MAX = 64 * 1024;
/** Longest text of a program that is looked through for an echo. */
const SEEN_MAX = 8192;
/** Keys that are no part of any secret: end of a line, and those by which a program is interrupted, ended or stopped. */
const PLAIN_KEYS: ReadonlySet<number> = new Set([0x0d, 0x0a, 0x03, 0x04, 0x1a, 0x1c]);
const [ESC, BEL, NUL, US, DEL] = [0x1b, 0x07, 0x00, 0x1f, 0x7f].map((code) => String.fromCharCode(code));
/** What moves the cursor, colours and the like, and single control characters. */
const SEQUENCES = new RegExp(
  `${ESC}(?:\\[[0-?]*[ -/]*[@-~]|O[ -~]|\\][^${BEL}${ESC}]*(?:${BEL}|${ESC}\\\\)|[ -/]*[0-~])|[${NUL}-${US}${DEL}]`,
  'g',
);
const NOTHING = new Uint8Array(0);
const HIDDEN = 'input that the terminal did not show was not recorded';

interface Waiting {
  readonly bytes: Uint8Array;
  readonly atMs: number;
  /** What of it would be seen. */
  readonly visible: string;
  readonly before: EchoState;
  /** Undefined until the terminal took the bytes. */
  after: EchoState | undefined;
  /** Undefined until the program has written something that tells. */
  echoed: boolean | undefined;
}

/**
 * Decides what of the input is recorded: only what the terminal shows. Where the terminal itself echoes, that is told by
 * its flags, before and after the bytes were given to it. Where the program does it (line editors, full-screen programs),
 * what was typed has to come back as the next thing that the program writes. Anything else may be a password: a marker
 * says that there was something. So what is recorded as input stands in the recorded output as well.
 */
export class TypedInput {
  readonly #recording: Pick<Recording, 'input' | 'marker'>;
  readonly #nowMs: () => number;
  readonly #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #seen = '';
  #hidden = false;

  constructor(recording: Pick<Recording, 'input' | 'marker'>, nowMs: () => number) {
    this.#recording = recording;
    this.#nowMs = nowMs;
  }

  /**
   * Bytes are about to be given to the terminal.
   * @returns what to call when it took them, with how it stands then
   */
  typed(bytes: Uint8Array, before: EchoState): (after: EchoState) => void {
    const visible = latin(bytes).replaceAll(SEQUENCES, '');
    const one: Waiting = { bytes, atMs: this.#nowMs(), visible, before, after: undefined, echoed: undefined };
    if (this.#waiting.length === 0) this.#seen = '';
    const isFull = this.#waiting.length >= WAITING_MAX || this.#waitingBytes + bytes.length > WAITING_BYTES_MAX;
    // Nothing is lost by this but the right to be recorded.
    if (isFull) this.#waiting.push(Object.assign(one, { bytes: NOTHING, visible: '', echoed: false }));
    else this.#waiting.push(one);
    this.#waitingBytes += isFull ? 0 : bytes.length;
    return (after) => {
      one.after = after;
      this.#settle();
    };
  }

  /** The program wrote something. */
  shown(bytes: Uint8Array): void {
    if (this.#waiting.length === 0) return;
    this.#seen += latin(bytes).replaceAll(SEQUENCES, '');
    for (const one of this.#waiting) {
      if (one.echoed !== undefined) continue;
      one.echoed = this.#isEchoed(one.visible);
      if (one.echoed === undefined) break;
      this.#seen = one.echoed ? this.#seen.slice(one.visible.length) : '';
    }
    this.#seen = this.#seen.slice(0, SEEN_MAX);
    this.#settle();
  }

  /** Time goes by: what did not come back is not waited for any longer. */
  tick(): void {
    const now = this.#nowMs();
    for (const one of this.#waiting) if (now - one.atMs > ECHO_MS) one.echoed ??= false;
    this.#settle();
  }

  /** The session is over. */
  end(): void {
    for (const one of this.#waiting) {
      one.after ??= 'unknown';
      one.echoed ??= false;
    }
    this.#settle();
  }

  /** Undefined while that cannot be told yet. */
  #isEchoed(visible: string): boolean | undefined {
    if (visible === '') return false;
    if (this.#seen.startsWith(visible)) return true;
    return visible.startsWith(this.#seen) ? undefined : false;
  }

  /** In the order in which it was typed. */
  #settle(): void {
    for (let [first] = this.#waiting; first !== undefined; [first] = this.#waiting) {
      const isShown = decided(first);
      if (isShown === undefined) return;
      this.#waiting.shift();
      this.#waitingBytes -= first.bytes.length;
      if (isShown) {
        this.#hidden = false;
        this.#recording.input(first.bytes, first.atMs);
      } else this.#hide(first.atMs);
    }
  }

  /** Once for all that is typed in a row: how long a password is, is nobody's business. */
  #hide(atMs: number): void {
    if (!this.#hidden) this.#recording.marker(HIDDEN, atMs);
    this.#hidden = true;
  }
}

function decided({ bytes, before, after, echoed }: Waiting): boolean | undefined {
  if (after === undefined) return undefined;
  if (!mayShow(before) || !mayShow(after)) return false;
  if (before === 'on' && after === 'on') return true;
  return isPlain(bytes) || echoed;
}

function isPlain(bytes: Uint8Array): boolean {
  return bytes.length > 0 && bytes.every((byte) => PLAIN_KEYS.has(byte));
}

/** Is there a way in which what is typed could be seen? */
function mayShow(echo: EchoState): boolean {
  return echo === 'on' || echo === 'raw';
}

/** One character for each byte: what is compared is bytes. */
function latin(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}
