import type { WebSocket } from 'ws';
import type {
  ConsoleOpened,
  ConsolePage,
  ConsoleRequestView,
  ConsoleSeat,
  CoreApi,
  CoreResult,
  Credential,
  Problem,
} from '../../broker/core-api.ts';
import { type ConsoleClientMessage, type ConsoleServerMessage, consoleCloses } from './console-frames.ts';
import { consoleBytesFrame, readConsoleBytes, readConsoleMessage } from './console-messages.ts';
import { problemDocument, transportProblem } from './problems.ts';

/** One wait for output. */
const READ_MS = 10_000;
/** Behind everything: for a read that is to bring nothing. */
const NOTHING = Number.MAX_SAFE_INTEGER;
/** Input that was not taken is offered again after that. */
const AGAIN_MS = 30;
/** A core that answers at once that there is nothing is not asked again before that. */
const NOTHING_MS = 20;

export interface ConsoleSocketSettings {
  readonly switch: string;
  readonly tenant: string;
  readonly credential: Credential;
  /** Within which the first message has to come. */
  readonly firstMs: number;
  readonly pingMs: number;
  /** Bytes that may wait for a slow reader, and for a program that does not read. */
  readonly bufferBytes: number;
  readonly onEnd: () => void;
}

interface Wanted {
  readonly offset?: number;
  readonly size?: { readonly columns: number; readonly rows: number };
  readonly close?: true;
}

/**
 * One connection to a console: the first message says what is wanted, then bytes go both ways. Knows nothing but how to
 * carry them: what is asked, opened, shown and typed is the core's to allow, with the token in every call.
 */
export class ConsoleSocket {
  readonly #socket: WebSocket;
  readonly #core: CoreApi;
  readonly #settings: ConsoleSocketSettings;
  readonly #heartbeat: NodeJS.Timeout;
  readonly #first: NodeJS.Timeout;
  #alive = true;
  #gone = false;
  #begun = false;
  #seat: ConsoleSeat | undefined;
  #watching = false;
  /** Opened or on the way there: a request to take back, should the connection go. */
  #request: string | undefined;
  #acknowledged = 0;
  /** Of what the client wants said to the core, the newest of each kind. */
  #wanted: Wanted = {};
  #saying = false;
  #input: { readonly offset: number; readonly bytes: Uint8Array }[] = [];
  #inputBytes = 0;
  #writing = false;
  #shown = { state: '', columns: 0, rows: 0, watchers: -1, inputOffset: -1 };
  #page: ConsolePage | undefined;

  constructor(socket: WebSocket, core: CoreApi, settings: ConsoleSocketSettings) {
    this.#socket = socket;
    this.#core = core;
    this.#settings = settings;
    socket.on('message', (data: Buffer, isBinary: boolean) => this.#receive(data, isBinary));
    socket.on('pong', () => {
      this.#alive = true;
    });
    socket.on('error', () => socket.terminate());
    socket.once('close', () => this.#closed());
    this.#heartbeat = setInterval(() => this.#beat(), settings.pingMs);
    this.#heartbeat.unref();
    this.#first = setTimeout(() => this.#close(consoleCloses.malformed), settings.firstMs);
    this.#first.unref();
  }

  get tenant(): string {
    return this.#settings.tenant;
  }

  /** The edge shuts down. The session goes on: it can be taken up again, or ends in time. */
  finish(): void {
    this.#close(consoleCloses.goingAway);
  }

  terminate(): void {
    this.#socket.terminate();
  }

  #beat(): void {
    if (this.#alive) this.#socket.ping();
    else this.#socket.terminate();
    this.#alive = false;
  }

  #receive(data: Buffer, isBinary: boolean): void {
    this.#alive = true;
    if (this.#gone) return;
    if (isBinary) {
      this.#typed(data);
      return;
    }
    const message = readConsoleMessage(data);
    const isFirst = message?.type === 'open' || message?.type === 'resume' || message?.type === 'watch';
    // What comes between the first message and the answer has nobody to go to.
    if (message === undefined || isFirst === this.#begun) this.#close(consoleCloses.malformed);
    else if (isFirst) {
      this.#begun = true;
      clearTimeout(this.#first);
      this.#guarded(this.#begin(message));
    } else this.#guarded(this.#control(message));
  }

  async #begin(message: ConsoleClientMessage): Promise<void> {
    const { credential, switch: name } = this.#settings;
    switch (message.type) {
      case 'open': {
        const opened = await this.#open(message);
        if (opened !== undefined) await this.#run(opened, 0, false);
        return;
      }
      case 'watch': {
        const opened = await this.#core.consoleWatch(credential, name, message.session);
        if (!opened.ok) return this.#refuse(opened.problem);
        return this.#run(opened.value, opened.value.offset, true);
      }
      case 'resume': {
        const seat = { session: message.session, seat: message.seat };
        return this.#follow(seat, message.after, false);
      }
    }
  }

  /** Asks, waits for the second person where one is required, and opens. */
  async #open(message: ConsoleClientMessage & { readonly type: 'open' }): Promise<ConsoleOpened | undefined> {
    const { credential, switch: name } = this.#settings;
    const { program, reason, columns, rows, duration_ms: durationMs } = message;
    const wanted = { program, reason, ...(durationMs === undefined ? {} : { durationMs }) };
    let asked: CoreResult<ConsoleRequestView> = await this.#core.consoleRequest(credential, name, wanted);
    if (asked.ok) this.#request = asked.value.id;
    if (asked.ok && asked.value.state === 'waiting') {
      const { id, digest, expiresAtMs } = asked.value;
      this.#send({ type: 'waiting', request: id, digest, expires_at_ms: expiresAtMs });
      while (asked.ok && asked.value.state === 'waiting' && !this.#gone) {
        asked = await this.#core.consoleRequested(credential, name, id, READ_MS);
      }
    }
    if (!asked.ok) return this.#refuse(asked.problem);
    if (this.#gone) return undefined;
    const { id, state } = asked.value;
    if (state !== 'ready') {
      this.#request = undefined;
      this.#send({ type: 'problem', problem: transportProblem('notConfirmed') });
      this.#close(consoleCloses.refused);
      return undefined;
    }
    const opened = await this.#core.consoleOpen(credential, name, id, columns, rows);
    this.#request = undefined;
    return opened.ok ? opened.value : this.#refuse(opened.problem);
  }

  async #run(opened: ConsoleOpened, offset: number, watching: boolean): Promise<void> {
    const seat = { session: opened.session.id, seat: opened.seat };
    return this.#follow(seat, offset, watching);
  }

  /** Says `opened` with the first page, then sends whatever comes until the session has ended. */
  async #follow(seat: ConsoleSeat, from: number, watching: boolean): Promise<void> {
    const { credential, switch: name } = this.#settings;
    this.#seat = seat;
    this.#watching = watching;
    this.#acknowledged = from;
    if (this.#gone) return this.#leave();
    const listed = await this.#core.consoles(credential, name);
    if (!listed.ok) return this.#refuse(listed.problem);
    const view = listed.value.sessions.find(({ id }) => id === seat.session);
    let after = from;
    let change = 0;
    let isOpened = false;
    while (!this.#gone) {
      const askedMs = performance.now();
      const read = await this.#core.consoleRead(credential, name, {
        ...seat,
        after,
        ...(watching ? {} : { acknowledged: Math.min(this.#acknowledged, after) }),
        change,
        waitMs: isOpened ? READ_MS : 0,
      });
      if (!read.ok) return this.#refuse(read.problem);
      const page = read.value;
      this.#page = page;
      if (!isOpened) {
        isOpened = true;
        this.#send({
          type: 'opened',
          ...seat,
          program: view?.program ?? '',
          principal: view?.principal ?? '',
          offset: page.offset,
          input_offset: page.inputOffset,
          columns: page.columns,
          rows: page.rows,
          ends_at_ms: view?.endsAtMs ?? 0,
          resume_ms: view?.resumeMs ?? 0,
          recorded: true,
          watching,
        });
      }
      const isNews = page.change !== change;
      if (isNews) this.#tell(page);
      if (page.output.length > 0) this.#socket.send(consoleBytesFrame(page.offset, page.output), { binary: true });
      after = page.offset + page.output.length;
      change = page.change;
      if (page.ended !== undefined) return this.#ended(page.ended);
      if (!(await this.#taken())) return this.#close(consoleCloses.slow);
      const early = NOTHING_MS - (performance.now() - askedMs);
      if (page.output.length === 0 && !isNews && early > 0) await new Promise((done) => setTimeout(done, early));
    }
  }

  /** Resolves when what was sent is on its way; false where it stays for as long as a ping may take. */
  async #taken(): Promise<boolean> {
    const until = performance.now() + this.#settings.pingMs;
    while (this.#socket.bufferedAmount > this.#settings.bufferBytes / 4) {
      if (this.#gone || performance.now() > until) return this.#gone;
      await new Promise((done) => setTimeout(done, 10));
    }
    return true;
  }

  async #control(message: ConsoleClientMessage): Promise<void> {
    if (this.#seat === undefined) return;
    switch (message.type) {
      case 'ack':
        if (message.offset <= this.#acknowledged || this.#watching) return;
        this.#acknowledged = message.offset;
        this.#wanted = { ...this.#wanted, offset: message.offset };
        break;
      case 'resize':
        this.#wanted = { ...this.#wanted, size: message };
        break;
      case 'close':
        // Whoever looks on only goes.
        if (this.#watching) return this.#close(consoleCloses.done);
        this.#wanted = { ...this.#wanted, close: true };
    }
    // One call at a time, however fast the client asks: there are only so many for all consoles together.
    if (this.#saying) return;
    this.#saying = true;
    try {
      while (!this.#gone && Object.keys(this.#wanted).length > 0) await this.#say(this.#seat);
    } finally {
      this.#saying = false;
    }
  }

  async #say(seat: ConsoleSeat): Promise<void> {
    const { credential, switch: name } = this.#settings;
    const { offset, size, close } = this.#wanted;
    this.#wanted = {};
    if (offset !== undefined) {
      // A program that waits for room goes on at once, not after the read that is under way.
      await this.#core.consoleRead(credential, name, { ...seat, after: NOTHING, acknowledged: offset });
    }
    if (size !== undefined) {
      const resized = await this.#core.consoleResize(credential, name, seat, size.columns, size.rows);
      if (!resized.ok) return this.#refuse(resized.problem);
    }
    if (close === undefined) return;
    const closed = await this.#core.consoleClose(credential, name, seat);
    if (!closed.ok) this.#refuse(closed.problem);
  }

  #typed(data: Buffer): void {
    const input = readConsoleBytes(data);
    if (input === undefined || this.#seat === undefined || this.#watching) {
      this.#close(consoleCloses.malformed);
      return;
    }
    this.#input.push(input);
    this.#inputBytes += input.bytes.length;
    // A program that does not read makes whoever types wait.
    if (this.#inputBytes > this.#settings.bufferBytes / 4) this.#socket.pause();
    if (!this.#writing) this.#guarded(this.#write(this.#seat));
  }

  async #write(seat: ConsoleSeat): Promise<void> {
    const { credential, switch: name } = this.#settings;
    this.#writing = true;
    try {
      for (let [first] = this.#input; first !== undefined && !this.#gone; [first] = this.#input) {
        const written = await this.#core.consoleWrite(credential, name, { ...seat, ...first });
        if (!written.ok) return this.#refuse(written.problem);
        const { inputOffset } = written.value;
        if (this.#page !== undefined) this.#tell({ ...this.#page, inputOffset });
        if (inputOffset >= first.offset + first.bytes.length || this.#page?.state === 'ended') {
          this.#input.shift();
          this.#inputBytes -= first.bytes.length;
          if (this.#socket.isPaused && this.#inputBytes <= this.#settings.bufferBytes / 8) this.#socket.resume();
        } else await new Promise((done) => setTimeout(done, AGAIN_MS));
      }
    } finally {
      this.#writing = false;
    }
  }

  #tell({ state, columns, rows, watchers, inputOffset }: ConsolePage): void {
    const now = { state, columns, rows, watchers, inputOffset };
    const before = this.#shown;
    // A page that was under way when more was typed says less than what is known by now.
    if (now.inputOffset < before.inputOffset) now.inputOffset = before.inputOffset;
    if (JSON.stringify(now) === JSON.stringify(before)) return;
    this.#shown = now;
    this.#send({ type: 'state', state, columns, rows, watchers, input_offset: now.inputOffset });
  }

  #ended({ why, detail, exitCode, signal }: NonNullable<ConsolePage['ended']>): void {
    this.#seat = undefined;
    this.#send({
      type: 'ended',
      why,
      detail,
      ...(exitCode === undefined ? {} : { exit_code: exitCode }),
      ...(signal === undefined ? {} : { signal }),
    });
    this.#close(consoleCloses.done);
  }

  #refuse(problem: Problem): undefined {
    this.#send({ type: 'problem', problem: problemDocument(problem) });
    this.#close(problem.code === 'EAUTH' ? consoleCloses.tokenEnded : consoleCloses.refused);
    return undefined;
  }

  /** Whatever fails inside ends the connection; the session can be taken up again. */
  #guarded(work: Promise<unknown>): void {
    work.catch(() => {
      this.#send({ type: 'problem', problem: transportProblem('internal') });
      this.#close(consoleCloses.refused);
    });
  }

  #send(message: ConsoleServerMessage): void {
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  #close(reason: { readonly code: number; readonly text: string }): void {
    this.#gone = true;
    this.#socket.resume();
    this.#socket.close(reason.code, reason.text);
  }

  #closed(): void {
    this.#gone = true;
    clearInterval(this.#heartbeat);
    clearTimeout(this.#first);
    this.#settings.onEnd();
    this.#leave();
  }

  /** The core hears at once that the connection is gone, instead of noticing it. */
  #leave(): void {
    const { credential, switch: name } = this.#settings;
    if (this.#seat !== undefined) this.#core.consoleLeave(credential, name, this.#seat).catch(() => undefined);
    if (this.#request !== undefined) {
      const reason = 'the connection that asked is gone';
      this.#core.consoleDeny(credential, name, this.#request, reason).catch(() => undefined);
    }
    this.#seat = undefined;
    this.#request = undefined;
  }
}
