import { err, ok, type Result } from '../../cci/index.ts';
import type { ConsoleProgramSettings } from '../config/index.ts';
import type { ConsoleAsking, ConsoleListing, ConsoleOpened, ConsoleRequestView } from '../console-api.ts';
import type { Refusal, Request, SwitchRuntime } from '../pipeline/index.ts';
import { checkReason, checkSize, durationOf } from './asking.ts';
import { type ConsoleParts, openConsole } from './opening.ts';
import { noteConsole, recordConsole, recordConsoleRefusal, type Subject } from './records.ts';
import { consoleRefusals, missingScope, unavailable } from './refusals.ts';
import { type ConsoleRequest, ConsoleRequests, isOpen, type Party, requestView } from './requests.ts';
import { consoleGrant, isSamePerson, objections, refusalFor } from './rules.ts';
import type { ConsoleSession } from './session.ts';

/** Longest wait of one call. */
export const WAIT_MAX_MS = 30_000;
/** So long a broker that stops waits for somebody to read that his session has ended. */
const TOLD_MS = 2000;

/** Who calls, about which switch. The switch is one that he may know of. */
export interface Call {
  readonly party: Party;
  readonly request: Request;
  readonly runtime: SwitchRuntime;
}

type Answer<T> = Promise<Result<T, Refusal>>;

/** Consoles of one broker: who may ask for one, who confirms, and which are open. */
export class ConsoleService {
  readonly parts: ConsoleParts;
  readonly #requests: ConsoleRequests;
  readonly #sessions = new Map<string, ConsoleSession>();
  /** Switches on which one is being opened. */
  readonly #opening = new Set<string>();
  readonly #timer: NodeJS.Timeout;
  #closed = false;
  #closing: Promise<void> | undefined;

  constructor(parts: ConsoleParts) {
    this.parts = parts;
    const { nowMs, switches } = parts.services;
    this.#requests = new ConsoleRequests(nowMs, (asked) => {
      const runtime = switches.get(asked.switch);
      if (runtime === undefined) return;
      const request = { id: asked.id, source: 'broker', startedMs: nowMs() };
      noteConsole(parts.services, { request, party: asked.by, runtime, program: asked.program }, 'expired', {
        request: asked.id,
      });
    });
    this.#timer = setInterval(() => this.#requests.tick(), 1000);
    this.#timer.unref();
  }

  /** Why nothing can be opened; undefined where something can. */
  get unavailable(): string | undefined {
    if (this.#closed) return 'the broker is stopping';
    if (this.parts.settings.programs.size === 0) return 'no program is configured';
    return this.parts.backend.unavailable;
  }

  /** Sessions that are open on a switch. */
  openOn(switchName: string): number {
    return [...this.#sessions.values()].filter(
      ({ settings, hasEnded }) => settings.program.switch === switchName && !hasEnded,
    ).length;
  }

  list({ party, runtime }: Call): ConsoleListing {
    const mine = (name: string) => name === party.principal.name;
    const here = this.#programsOn(runtime);
    const why = this.unavailable;
    return {
      ...(why === undefined ? {} : { unavailable: why }),
      programs: here
        .filter((program) => this.#may(party, program, 'console'))
        .map(({ name, title }) => ({ name, title, approval: this.parts.settings.approval === 'required' })),
      requests: this.#requests
        .all()
        .filter((asked) => asked.switch === runtime.name)
        .filter((asked) => mine(asked.by.principal.name) || this.#may(party, asked.program, 'console-approve'))
        .map(requestView),
      sessions: [...this.#sessions.values()]
        .filter((session) => session.settings.program.switch === runtime.name && !session.hasEnded)
        .filter((session) => mine(session.settings.opener.principal.name) || this.mayWatch(party, session))
        .map((session) => session.view()),
    };
  }

  async request(call: Call, asking: ConsoleAsking): Answer<ConsoleRequestView> {
    const { party, runtime } = call;
    const { settings, services } = this.parts;
    const why = this.unavailable;
    const bad = checkReason(asking.reason);
    if (bad !== undefined) return err(bad);
    if (!party.principal.scopes.includes('cci:console')) return err(missingScope('cci:console'));
    const program = settings.programs.get(asking.program);
    // A program that is not there looks like one that is not granted.
    const unknown = { ...call, program: { ...nobodys, name: 'unknown', switch: runtime.name } };
    if (program === undefined || program.switch !== runtime.name) {
      const against = [{ rule: 'grant', text: 'there is no such program on this switch' }];
      return this.#refused(unknown, refusalFor({ ...party.principal, scopes: [] }, against), against, asking.reason);
    }
    const subject: Subject = { ...call, program };
    const against = objections(services, runtime, party.principal, program);
    if (against.length > 0) return this.#refused(subject, refusalFor(party.principal, against), against, asking.reason);
    if (why !== undefined) return this.#refused(subject, unavailable(why), [], asking.reason);
    const durationMs = durationOf(asking, program);
    if (!durationMs.ok) return durationMs;
    const approval = settings.approval === 'required';
    const wanted = { switch: runtime.name, program, reason: asking.reason, durationMs: durationMs.value, by: party };
    const asked = this.#requests.add(wanted, approval, settings.approvalMs);
    if (asked === undefined) return this.#refused(subject, consoleRefusals.tooMany, [], asking.reason);
    try {
      const details = {
        reason: asked.reason,
        durationMs: asked.durationMs,
        digest: asked.digest,
        expiresAtMs: asked.expiresAtMs,
      };
      await recordConsole(services, subject, 'requested', { request: asked.id, details });
    } catch {
      this.#requests.settle(asked, 'denied');
      return err(consoleRefusals.notRecorded);
    }
    return ok(requestView(asked));
  }

  async requested({ party, runtime }: Call, id: string, waitMs = 0): Answer<ConsoleRequestView> {
    const asked = this.#visible(party, runtime, id);
    if (asked === undefined) return err(consoleRefusals.notThere);
    if (asked.state === 'waiting') await this.#requests.changed(asked, Math.min(Math.max(0, waitMs), WAIT_MAX_MS));
    return (await party.stillValid()) ? ok(requestView(asked)) : err(consoleRefusals.tokenEnded);
  }

  async approve(call: Call, id: string, digest: string): Answer<ConsoleRequestView> {
    const { party, runtime } = call;
    const asked = this.#visible(party, runtime, id);
    if (asked === undefined) return err(consoleRefusals.notThere);
    const subject: Subject = { ...call, program: asked.program };
    const refuse = (refusal: Refusal, text: string) => this.#refused(subject, refusal, [{ rule: 'approval', text }]);
    if (isSamePerson(party.principal, asked.by.principal))
      return refuse(consoleRefusals.ownRequest, 'it is his own request');
    if (!party.principal.scopes.includes('cci:approve')) {
      return refuse(missingScope('cci:approve'), 'the token has no scope `cci:approve`');
    }
    if (!this.#may(party, asked.program, 'console-approve')) return err(consoleRefusals.notThere);
    if (asked.state !== 'waiting') return err(consoleRefusals.notWaiting);
    if (asked.digest !== digest) return refuse(consoleRefusals.otherDigest, 'another digest was confirmed');
    try {
      const details = { by: asked.by.principal.name, digest };
      await recordConsole(this.parts.services, subject, 'approved', { request: id, details });
    } catch {
      return err(consoleRefusals.notRecorded);
    }
    // While it was written down somebody else may have been faster.
    if (!isWaiting(this.#requests.get(id))) return err(consoleRefusals.notWaiting);
    this.#requests.settle(asked, 'ready', party);
    return ok(requestView(asked));
  }

  async deny(call: Call, id: string, reason: string): Answer<ConsoleRequestView> {
    const { party, runtime } = call;
    const bad = checkReason(reason, 1);
    if (bad !== undefined) return err(bad);
    const asked = this.#visible(party, runtime, id);
    if (asked === undefined) return err(consoleRefusals.notThere);
    const isOwn = asked.by.principal.name === party.principal.name;
    if (!isOwn && !party.principal.scopes.includes('cci:approve')) return err(missingScope('cci:approve'));
    if (!isOpen(asked)) return err(consoleRefusals.notWaiting);
    this.#requests.settle(asked, 'denied', party);
    const details = { by: asked.by.principal.name, reason };
    noteConsole(this.parts.services, { ...call, program: asked.program }, 'denied', { request: id, details });
    return ok(requestView(asked));
  }

  async open(call: Call, id: string, columns: number, rows: number): Answer<ConsoleOpened> {
    const { party, runtime } = call;
    const bad = checkSize(columns, rows);
    if (bad !== undefined) return err(bad);
    const asked = this.#requests.get(id);
    const isOwn = asked?.switch === runtime.name && asked.by.principal.name === party.principal.name;
    if (asked === undefined || !isOwn || asked.by.principal.tenant !== party.principal.tenant) {
      return err(consoleRefusals.notThere);
    }
    const subject: Subject = { ...call, program: asked.program };
    if (!party.principal.scopes.includes('cci:console')) return err(missingScope('cci:console'));
    const why = this.unavailable;
    if (why !== undefined) return this.#refused(subject, unavailable(why), []);
    if (asked.state !== 'ready') return err(consoleRefusals.notReady);
    if (this.#opening.has(runtime.name) || this.openOn(runtime.name) > 0) {
      return this.#refused(subject, consoleRefusals.inUse, [
        { rule: 'one-per-switch', text: 'a console is open there' },
      ]);
    }
    this.#opening.add(runtime.name);
    try {
      const opened = await openConsole(this.parts, runtime, asked, party, call.request, { columns, rows });
      if (!opened.ok) return opened;
      this.#requests.settle(asked, 'opened');
      const session = opened.value;
      this.#keep(session);
      const seat = session.seats.take(party, true, this.parts.services.nowMs());
      if (seat === undefined) throw new Error('a new session has room for whoever opens it');
      return ok(this.opened(session, seat.word, 0));
    } finally {
      this.#opening.delete(runtime.name);
    }
  }

  /** The session of that id on that switch, ended ones for a while too. */
  session(runtime: SwitchRuntime, id: string): ConsoleSession | undefined {
    const found = this.#sessions.get(id);
    return found?.settings.program.switch === runtime.name ? found : undefined;
  }

  /** May look on and end it: whoever may open it himself, and whoever may confirm it. */
  mayWatch(party: Party, { settings: { program } }: ConsoleSession): boolean {
    const { scopes } = party.principal;
    const opens = scopes.includes('cci:console') && this.#may(party, program, 'console');
    return opens || (scopes.includes('cci:approve') && this.#may(party, program, 'console-approve'));
  }

  opened(session: ConsoleSession, seat: string, offset: number): ConsoleOpened {
    return { session: session.view(), seat, offset, recorded: true };
  }

  /** Ends every session, waits until each is written down, and for a moment until those who are at it have read that. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    this.#requests.close();
    // One that is being opened right now is in the table a moment later.
    while (this.#opening.size > 0) await new Promise((done) => setTimeout(done, 10));
    const all = [...this.#sessions.values()];
    for (const session of all) session.end('broker-stopped');
    await Promise.all(all.map((session) => session.over()));
    const until = performance.now() + TOLD_MS;
    while (performance.now() < until && all.some((session) => session.isUntold)) {
      await new Promise((done) => setTimeout(done, 10));
    }
  }

  #keep(session: ConsoleSession): void {
    const { id } = session.settings;
    this.#sessions.set(id, session);
    // Who was away when it ended may still read its end.
    void session.over().then(() => {
      setTimeout(() => this.#sessions.delete(id), this.parts.settings.resumeMs).unref();
    });
  }

  #programsOn(runtime: SwitchRuntime): readonly ConsoleProgramSettings[] {
    return [...this.parts.settings.programs.values()].filter((program) => program.switch === runtime.name);
  }

  #may({ principal }: Party, program: ConsoleProgramSettings, verb: 'console' | 'console-approve'): boolean {
    return consoleGrant(this.parts.services, principal, program, verb).allowed;
  }

  /** A request that the caller may know of: his own, or one that he may confirm. */
  #visible(party: Party, runtime: SwitchRuntime, id: string): ConsoleRequest | undefined {
    const asked = this.#requests.get(id);
    if (asked === undefined || asked.switch !== runtime.name) return undefined;
    const isOwn = asked.by.principal.name === party.principal.name;
    return isOwn || this.#may(party, asked.program, 'console-approve') ? asked : undefined;
  }

  async #refused(
    subject: Subject,
    refusal: Refusal,
    against: Parameters<typeof recordConsoleRefusal>[3],
    reason?: string,
  ): Promise<{ readonly ok: false; readonly error: Refusal }> {
    const { services } = this.parts;
    services.metrics.refusals.inc({ code: refusal.code });
    await recordConsoleRefusal(services, subject, refusal, against, reason).catch((error: unknown) =>
      services.log.error({ err: error }, 'a refused console could not be recorded'),
    );
    return err(refusal);
  }
}

function isWaiting(asked: ConsoleRequest | undefined): boolean {
  return asked?.state === 'waiting';
}

/** Stands for a program that is not there, in the record of the refusal. */
const nobodys: ConsoleProgramSettings = {
  name: 'unknown',
  title: '',
  path: '',
  arguments: [],
  environment: {},
  workingDirectory: '/',
  switch: '',
  tenant: '',
  limits: { timeMs: 0, idleMs: 0, outputBytes: 0, memoryBytes: 0, processes: 0, files: 0 },
};
