import type { ProgramExit, TerminalSession } from '../../backend/console/index.ts';
import type { ConsoleEnd, ConsoleEndReason, ConsolePage, ConsoleSessionView } from '../console-api.ts';
import type { Recording } from '../recording/index.ts';
import { Attendance } from './attendance.ts';
import { Bell } from './bell.ts';
import { endTexts } from './ends.ts';
import { OutputBuffer, UNREAD_MAX } from './output-buffer.ts';
import type { Party } from './requests.ts';
import type { Seat, Seats } from './seats.ts';
import type { SessionSettings } from './session-settings.ts';
import { TypedInput } from './typed-input.ts';

/** The recording may be that far behind before the program has to wait. */
const UNWRITTEN_MAX = 1 << 20;
/** Input that the program has not read: more is not taken. */
const UNTAKEN_MAX = 64 * 1024;
/** What a change of size counts of the output that is allowed: it makes the recording grow as well. */
const RESIZE_BYTES = 64;
/** How often limits are looked at. */
const TICK_MS = 200;

/** One program on one terminal, with who is at it. What it may do was decided by others; here it is kept within its bounds. */
export class ConsoleSession {
  readonly settings: SessionSettings;
  readonly #attendance: Attendance;
  readonly #bell = new Bell();
  readonly #output = new OutputBuffer();
  readonly #recording: Recording;
  readonly #typed: TypedInput;
  #terminal: TerminalSession | undefined;
  #columns: number;
  #rows: number;
  #inputOffset = 0;
  #written = 0;
  #lastActiveMs: number;
  #change = 1;
  #throttled = false;
  /** In this pause: it is said once, however often somebody types. */
  #hasThrownAway = false;
  #flushing = false;
  #ending: Omit<ConsoleEnd, 'exitCode' | 'signal'> | undefined;
  #ended: ConsoleEnd | undefined;
  #inspecting = false;
  #isGone = false;
  #timer: NodeJS.Timeout | undefined;
  readonly #over: Promise<void>;
  #isOver: () => void = () => undefined;

  constructor(settings: SessionSettings, recording: Recording) {
    this.settings = settings;
    this.#recording = recording;
    this.#typed = new TypedInput(recording, settings.nowMs);
    const session = this;
    this.#attendance = new Attendance(settings, recording, {
      get isEnding() {
        return session.isEnding;
      },
      end: (why) => this.end(why),
      tell: () => this.#tell(),
      freeze: async () => this.#terminal?.freeze(),
      thaw: async () => this.#terminal?.thaw(),
      paused: () => {
        this.#lastActiveMs = settings.nowMs();
        this.#hasThrownAway = false;
        this.#regulate();
        this.#tell();
      },
    });
    this.#columns = settings.columns;
    this.#rows = settings.rows;
    this.#lastActiveMs = settings.openedAtMs;
    this.#over = new Promise((resolve) => {
      this.#isOver = resolve;
    });
  }

  /** What the terminal tells. */
  get listener() {
    return {
      onOutput: (bytes: Uint8Array) => this.#wrote(bytes),
      onEnd: (exit: ProgramExit) => void this.#exited(exit),
    };
  }

  get seats(): Seats {
    return this.#attendance.seats;
  }

  get hasEnded(): boolean {
    return this.#ended !== undefined;
  }

  /** Is there somebody at it who has not read its end? */
  get isUntold(): boolean {
    return this.#attendance.isUntold;
  }

  get isEnding(): boolean {
    return this.#ending !== undefined || this.#ended !== undefined;
  }

  get startOffset(): number {
    return this.#output.start;
  }

  /** The program runs. From now on its limits hold. */
  begin(terminal: TerminalSession): void {
    this.#terminal = terminal;
    // A program may be quicker than the word that it has started.
    if (this.#isGone) return;
    this.#attendance.lookAtWatchers();
    this.#regulate();
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    this.#timer.unref();
    // Ended while it came up.
    if (this.#ending !== undefined) terminal.end();
  }

  /** It could not be started. */
  async failed(): Promise<void> {
    this.#ending ??= { why: 'failed', detail: endTexts.failed };
    await this.#exited(undefined);
  }

  /** What lies behind an offset, now or when there is something, at most after `waitMs`. */
  async read(
    seat: Seat,
    after: number,
    acknowledged: number | undefined,
    change: number,
    waitMs: number,
  ): Promise<ConsolePage> {
    this.#attendance.seen(seat);
    if (seat.owner && acknowledged !== undefined) {
      this.#output.acknowledge(acknowledged);
      this.#regulate();
    }
    const until = this.settings.nowMs() + waitMs;
    seat.reading++;
    try {
      for (;;) {
        const page = this.#page(after);
        const left = until - this.settings.nowMs();
        if (page.output.length > 0 || page.change !== change || page.ended !== undefined || left <= 0 || seat.left)
          return page;
        await this.#bell.heard(left);
      }
    } finally {
      seat.reading--;
      seat.lastSeenMs = this.settings.nowMs();
    }
  }

  /** @returns input taken so far; undefined where bytes before these are missing */
  async write(offset: number, bytes: Uint8Array): Promise<number | undefined> {
    if (offset > this.#inputOffset) return undefined;
    const fresh = bytes.subarray(Math.min(bytes.length, this.#inputOffset - offset));
    const terminal = this.#terminal;
    if (fresh.length === 0 || terminal === undefined || this.isEnding) return this.#inputOffset;
    if (this.#attendance.isPaused) {
      // Not kept either: nobody would look on while it is carried out.
      this.#inputOffset += fresh.length;
      if (!this.#hasThrownAway) {
        this.#recording.marker('input while the session was paused was thrown away', this.settings.nowMs());
      }
      this.#hasThrownAway = true;
      return this.#inputOffset;
    }
    if (terminal.pendingInput + fresh.length > UNTAKEN_MAX) return this.#inputOffset;
    this.#inputOffset += fresh.length;
    this.#lastActiveMs = this.settings.nowMs();
    const copy = fresh.slice();
    const taken = this.#typed.typed(copy, terminal.echo());
    void terminal.write(copy).then(() => taken(terminal.echo()));
    return this.#inputOffset;
  }

  /** @throws SessionError when the terminal is gone */
  resize(columns: number, rows: number): void {
    if (this.isEnding || (columns === this.#columns && rows === this.#rows)) return;
    this.#terminal?.resize(columns, rows);
    this.#columns = columns;
    this.#rows = rows;
    this.#recording.resize(columns, rows, this.settings.nowMs());
    this.#count(RESIZE_BYTES);
    this.#tell();
  }

  /** Somebody looks on. @returns undefined where there is no room */
  watch(party: Party): Seat | undefined {
    return this.#attendance.watch(party);
  }

  /** The connection of a seat is gone. */
  leave(seat: Seat): void {
    this.#attendance.leave(seat);
  }

  end(why: ConsoleEndReason, detail: string = endTexts[why]): void {
    if (this.isEnding) return;
    this.#ending = { why, detail };
    this.#recording.marker(`ended: ${detail}`, this.settings.nowMs());
    this.#regulate();
    this.#terminal?.end();
    this.#tell();
  }

  /** Resolves when everything is over and written down. */
  over(): Promise<void> {
    return this.#over;
  }

  view(): ConsoleSessionView {
    const { id, program, reason, opener, approvedBy, openedAtMs, endsAtMs, resumeMs } = this.settings;
    return {
      id,
      switch: program.switch,
      program: program.name,
      reason,
      principal: opener.principal.name,
      tenant: opener.principal.tenant,
      ...(approvedBy === undefined ? {} : { approvedBy }),
      state: this.#attendance.state,
      columns: this.#columns,
      rows: this.#rows,
      openedAtMs,
      endsAtMs,
      resumeMs,
      watchers: this.seats.watchers.map(({ party }) => party.principal.name),
    };
  }

  #page(after: number): ConsolePage {
    // While nobody looks on who has to, nothing is shown either.
    const isHeld = this.#attendance.isPaused && this.#ended === undefined;
    const { offset, output } = isHeld ? { offset: after, output: new Uint8Array(0) } : this.#output.page(after);
    // What could not be recorded is never shown.
    const isRead = offset + output.length >= this.#output.released;
    return {
      offset,
      output,
      change: this.#change,
      inputOffset: this.#inputOffset,
      state: this.#ended === undefined ? this.#attendance.state : 'ended',
      columns: this.#columns,
      rows: this.#rows,
      watchers: this.seats.watchers.length,
      ...(this.#ended !== undefined && isRead ? { ended: this.#ended } : {}),
    };
  }

  #wrote(bytes: Uint8Array): void {
    const now = this.settings.nowMs();
    this.#recording.output(bytes, now);
    this.#typed.shown(bytes);
    this.#output.append(bytes);
    this.#showRecorded(this.#output.end);
    this.#lastActiveMs = now;
    this.#count(bytes.length);
    this.#regulate();
    this.#bell.ring();
  }

  #count(bytes: number): void {
    this.#written += bytes;
    if (this.#written > this.settings.program.limits.outputBytes) this.end('output-limit');
  }

  /** Output is shown once it stands in the recording, so that a broker that is killed has shown nothing else. */
  #showRecorded(end: number): void {
    this.#recording.flush().then(
      () => {
        this.#output.release(end);
        this.#bell.ring();
      },
      () => undefined,
    );
  }

  /** A reader or a disk that is slow makes the program wait: the terminal is not read. */
  #regulate(): void {
    const isBehind = this.#recording.pendingBytes > UNWRITTEN_MAX;
    if (isBehind && !this.#flushing) {
      this.#flushing = true;
      this.#recording.flush().then(
        () => {
          this.#flushing = false;
          this.#regulate();
        },
        // It has failed for good, and with it the session ends: asking again would go on for ever.
        () => undefined,
      );
    }
    const limit = this.#throttled ? UNREAD_MAX / 2 : UNREAD_MAX;
    // What is being ended is read to its end: it cannot write for long.
    const isUnread = this.#output.unread > limit && !this.isEnding;
    const throttle = isBehind || isUnread || (this.#attendance.isPaused && !this.isEnding);
    if (throttle === this.#throttled || this.#terminal === undefined) return;
    this.#throttled = throttle;
    if (throttle) this.#terminal.pause();
    else this.#terminal.resume();
  }

  #tick(): void {
    const { program, endsAtMs, nowMs } = this.settings;
    const now = nowMs();
    this.#typed.tick();
    if (this.isEnding) return;
    if (now >= endsAtMs) this.end('time-limit');
    else if (now - this.#lastActiveMs > program.limits.idleMs) this.end('idle-limit');
    if (this.isEnding) return;
    this.#attendance.tick();
    if (!this.#inspecting) void this.#inspect();
  }

  async #inspect(): Promise<void> {
    this.#inspecting = true;
    try {
      const found = await this.settings.inspect(this.seats.owner?.party ?? this.settings.opener);
      if (found !== undefined) this.end(found.why, found.detail);
      for (const seat of this.seats.watchers) if (!(await seat.party.stillValid())) this.#attendance.gone(seat);
    } catch {
      this.end('not-permitted', 'whether it is still permitted could not be found out');
    } finally {
      this.#inspecting = false;
    }
  }

  async #exited(exit: ProgramExit | undefined): Promise<void> {
    this.#isGone = true;
    clearInterval(this.#timer);
    this.#typed.end();
    const end: ConsoleEnd = {
      ...(this.#ending ?? { why: 'exited', detail: endTexts.exited }),
      ...(exit?.exitCode === undefined ? {} : { exitCode: exit.exitCode }),
      ...(exit?.signal === undefined ? {} : { signal: exit.signal }),
    };
    this.#ending ??= end;
    await this.settings.onEnded(end, exit);
    this.#ended = end;
    this.#tell();
    this.#isOver();
  }

  #tell(): void {
    this.#change++;
    this.#bell.ring();
  }
}
