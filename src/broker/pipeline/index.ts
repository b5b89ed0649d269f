import { randomUUID } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { ok, RC } from '../../cci/index.ts';
import { type Decision, errnoTable, type Principal } from '../../policy/index.ts';
import { commandWish } from '../auth/index.ts';
import type {
  CommandAnswer,
  CommandRequest,
  CoreResult,
  Credential,
  DecisionAnswer,
  Problem,
  SubmitOptions,
} from '../core-api.ts';
import type { DeviceFailure } from '../device.ts';
import type { Turn } from '../schedule/index.ts';
import { admit, withinQuota } from './admit.ts';
import { decisionAnswer } from './answer.ts';
import { authenticate } from './authenticate.ts';
import { Behind } from './behind.ts';
import type { Decided, Refusal, Request, Services } from './context.ts';
import { began } from './course.ts';
import { consider, decide, decideRepeat, foreign } from './decide.ts';
import { decode } from './decode.ts';
import { type Dispatched, dispatch, needsIntent, raiseMalformed, unrecordable } from './dispatch.ts';
import { enter } from './enter.ts';
import { gather } from './gather.ts';
import { type Prepared, prepare } from './prepare.ts';
import { type Ended, recordOutcome, recordRefusal } from './record.ts';
import { decodedAgain, Repeats } from './repeats.ts';
import { replyTo } from './reply.ts';
import { seenSwitch } from './seen-switch.ts';
import { switchFree } from './switch-free.ts';
import { UnderWay } from './under-way.ts';
import { leaveGap } from './unrecorded.ts';
import { validity } from './validity.ts';
import { virtualReply } from './virtual.ts';

export { authenticate, authenticateStream } from './authenticate.ts';
export type { Refusal, Request, Services, SwitchRuntime } from './context.ts';
export { seenSwitch, seenSwitches } from './seen-switch.ts';
export { validity } from './validity.ts';

/** Whose request it is, and whether he may still make it. */
interface Caller {
  readonly principal: Principal;
  readonly stillValid: () => Promise<boolean>;
}

/**
 * The pipeline: authenticate, admit, decode, classify and resolve and decide, schedule, record intent, forward, verify,
 * filter, record outcome, reply. Each stage is a function from one typed value to the next; a refusal is a value.
 */
export class Pipeline {
  private readonly services: Services;
  private readonly underWay = new UnderWay();
  private readonly repeats = new Repeats();
  private readonly behind: Behind;

  constructor(services: Services) {
    this.services = services;
    this.behind = new Behind((error) => services.log.error({ err: error }, 'what was counted is lost'));
  }

  /** Takes back a request that has not been sent to its device; does nothing for any other. */
  cancel(handle: string): void {
    this.underWay.cancel(handle);
  }

  async submit(
    credential: Credential,
    switchName: string,
    command: CommandRequest,
    options: SubmitOptions = {},
  ): Promise<CoreResult<CommandAnswer>> {
    const { handle, deadlineMs } = options;
    const cancellation = handle === undefined ? undefined : this.underWay.begin(handle);
    try {
      const request: Request = {
        id: randomUUID(),
        source: credential.source,
        startedMs: this.services.nowMs(),
        course: undefined,
        ...(deadlineMs === undefined ? {} : { deadlineMs: performance.now() + deadlineMs }),
        ...(cancellation === undefined ? {} : { cancellation }),
      };
      if (handle !== undefined && cancellation === undefined) return this.refused(request, handleInUse);
      return await this.submitted(request, credential, switchName, command);
    } finally {
      if (handle !== undefined && cancellation !== undefined) this.underWay.end(handle);
    }
  }

  private async submitted(
    request: Request,
    credential: Credential,
    switchName: string,
    command: CommandRequest,
  ): Promise<CoreResult<CommandAnswer>> {
    try {
      // What is revoked while the token is looked at, or while the command is decided, counts when its turn comes.
      const { version } = this.services.revocations;
      const purpose = () => commandWish('commands', switchName, command);
      const principal = await authenticate(this.services, credential, request, purpose);
      if (!principal.ok) return this.refused(request, principal.error);
      const admitted = admit(this.services.quotas, principal.value.tenant, command);
      if (!admitted.ok) return await this.refusedTo(request, principal.value, admitted.error);
      try {
        const turn = await enter(this.services, principal.value, request);
        if (!turn.ok) return await this.refusedTo(request, principal.value, turn.error);
        try {
          const stillValid = validity(this.services, credential, principal.value, version);
          const caller = { principal: principal.value, stillValid };
          return await this.run(request, caller, switchName, command, turn.value);
        } finally {
          turn.value.end();
        }
      } finally {
        admitted.value();
      }
    } catch (error) {
      return this.broken(request, error);
    }
  }

  /** The same up to the decision; nothing is sent and no taint is raised. */
  async explain(
    credential: Credential,
    switchName: string,
    command: CommandRequest,
  ): Promise<CoreResult<DecisionAnswer>> {
    const { services } = this;
    const request: Request = { id: randomUUID(), source: credential.source, startedMs: services.nowMs() };
    try {
      const { version } = services.revocations;
      const purpose = () => commandWish('decisions', switchName, command);
      const principal = await authenticate(services, credential, request, purpose);
      if (!principal.ok) return this.refused(request, principal.error);
      const admitted = admit(services.quotas, principal.value.tenant, command);
      if (!admitted.ok) return this.refused(request, admitted.error);
      const turn = await enter(services, principal.value, request);
      try {
        if (!turn.ok) return this.refused(request, turn.error);
        const runtime = seenSwitch(services, principal.value, switchName);
        if (runtime === undefined) return this.refused(request, foreign);
        const inUse = await switchFree(request, validity(services, credential, principal.value, version), runtime);
        if (inUse !== undefined) return this.refused(request, inUse);
        const decoded = decode(switchName, command, services.policy.current.commands);
        if (!decoded.ok) return this.refused(request, decoded.error);
        const { decision, refusal } = await consider(services, runtime, principal.value, decoded.value);
        return { ok: true, value: decisionAnswer(services, request, principal.value, decision, refusal) };
      } finally {
        if (turn.ok) turn.value.end();
        admitted.value();
      }
    } catch (error) {
      return this.broken(request, error);
    }
  }

  private async run(
    request: Request,
    { principal, stillValid }: Caller,
    switchName: string,
    command: CommandRequest,
    turn: Turn,
  ): Promise<CoreResult<CommandAnswer>> {
    const { services } = this;
    const runtime = seenSwitch(services, principal, switchName);
    // A switch that is not there looks like one that is somebody else's.
    if (runtime === undefined) return this.refusedTo(request, principal, foreign);
    began(request, runtime);
    const inUse = await switchFree(request, stillValid, runtime);
    if (inUse !== undefined) return this.refusedTo(request, principal, inUse);
    const known = this.repeats.find(services, runtime, principal, command);
    const decoded =
      known === undefined
        ? decode(switchName, command, services.policy.current.commands)
        : ok(decodedAgain(known, command));
    if (!decoded.ok) return this.refusedTo(request, principal, decoded.error);
    const decided =
      known === undefined
        ? await decide(services, runtime, principal, decoded.value, request)
        : ok(decideRepeat(services, runtime, principal, decoded.value, known));
    if (!decided.ok) {
      const seen = { runtime, decoded: decoded.value, decision: decided.error.decision };
      return this.refusedTo(request, principal, decided.error.refusal, seen);
    }
    const pass = withinQuota(services.quotas, decided.value);
    if (!pass.ok) {
      const seen = { runtime, decoded: decoded.value, decision: pass.error.decision };
      return this.refusedTo(request, principal, pass.error.refusal, seen);
    }
    try {
      const repeat = known ?? this.repeats.remember(services, runtime, principal, command, decided.value);
      const answer = await this.carryOut(request, { ...decided.value, stillValid, repeat }, turn);
      services.busyPoll.keep();
      if (answer.ok) pass.value.received(answer.value.payload.length);
      return answer;
    } finally {
      pass.value.end();
    }
  }

  private async carryOut(request: Request, decided: Decided, turn: Turn): Promise<CoreResult<CommandAnswer>> {
    const { services } = this;
    const virtual = virtualReply(decided);
    // From here on it waits for the device, or is as good as done.
    turn.end();
    const prepared = virtual === undefined ? await prepare(services, decided) : undefined;
    if (prepared?.ok === false) return this.refusedTo(request, decided.principal, prepared.refusal, decided);
    const dispatched: Dispatched =
      virtual === undefined
        ? await this.sent(request, decided, prepared?.prepared)
        : { kind: 'answered', decision: decided.decision, reply: { kind: 'reply', reply: virtual }, intent: undefined };
    const { decision } = dispatched;
    if (dispatched.kind === 'refused') {
      const { runtime, decoded } = decided;
      const { intent, refusal } = dispatched;
      if (intent !== undefined) {
        const note = `refused before it was sent: ${refusal.detail}`;
        await this.record(request, decided, decision, { outcome: 'not-sent', intent, note });
      }
      return this.refusedTo(request, decided.principal, dispatched.refusal, { runtime, decoded, decision });
    }
    const { reply, intent } = dispatched;
    if (reply.kind === 'failed') return this.failed(request, decided, decision, intent, reply.failure);
    if (reply.kind === 'malformed') return this.unbelievable(request, decided, decision, intent, reply.text);
    const gathered = await gather(decided, decision, reply.reply);
    if (!gathered.ok) return this.unbelievable(request, decided, decision, intent, gathered.error);

    let answer: Awaited<ReturnType<typeof replyTo>>;
    try {
      answer = await replyTo(services, request, decided, decision, gathered.value);
    } catch (error) {
      return this.brokenAfter(request, decided, decision, intent, error);
    }
    if (!answer.ok) {
      await raiseMalformed(services, request, decided, decision, answer.error.text);
      return this.unbelievable(request, decided, decision, intent, answer.error.text);
    }
    const recorded = await this.record(request, decided, decision, {
      outcome: 'done',
      intent,
      returnCodes: reply.reply.layers.map((layer) => layer.returnCode),
      ...(virtual === undefined ? {} : { note: 'answered by the broker; the device was not asked' }),
    });
    this.count(decided, decision, request, 'done');
    return recorded ? { ok: true, value: answer.value } : this.refused(request, unrecorded);
  }

  /** Dispatched, and what was written down for it settled, whatever became of it. */
  private async sent(request: Request, decided: Decided, prepared: Prepared | undefined): Promise<Dispatched> {
    let dispatched: Dispatched | undefined;
    try {
      dispatched = await dispatch(this.services, request, decided);
      return dispatched;
    } finally {
      await prepared?.end(dispatched);
    }
  }

  private async failed(
    request: Request,
    decided: Decided,
    decision: Decision,
    intent: number | undefined,
    failure: DeviceFailure,
  ): Promise<CoreResult<CommandAnswer>> {
    const { noTurn, retryAfterMs } = failure;
    const refusal: Refusal = {
      code: failure.errno,
      detail: whatFailed(decision, failure),
      returnCode: errnoTable[failure.errno].returnCode,
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      ...(noTurn === undefined ? {} : { limit: noTurn }),
    };
    this.count(decided, decision, request, failure.outcome);
    const always = noTurn === undefined || ALONE.has(noTurn) || decision.facts.class === 'raw' || intent !== undefined;
    if (this.recordsAlone(decided.principal, refusal, always)) {
      await this.record(request, decided, decision, { outcome: failure.outcome, intent, failure });
    }
    return this.refused(request, refusal);
  }

  /** Where many are refused for want of room, most are counted instead of recorded one by one. */
  private recordsAlone(principal: Principal, refusal: Refusal, always: boolean): boolean {
    if (refusal.limit === undefined) return true;
    const { metrics, refusals } = this.services;
    metrics.limits.inc({ limit: refusal.limit });
    metrics.ofTenants.refusals.inc({ tenant: principal.tenant, limit: refusal.limit });
    return always || refusals.note(principal.tenant, principal.name, refusal.limit);
  }

  private async unbelievable(
    request: Request,
    decided: Decided,
    decision: Decision,
    intent: number | undefined,
    text: string,
  ): Promise<CoreResult<CommandAnswer>> {
    await this.record(request, decided, decision, {
      outcome: 'done',
      intent,
      note: `the reply was malformed and was not passed on: ${text}`,
    });
    this.count(decided, decision, request, 'malformed');
    this.services.log.error({ requestId: request.id, switch: decided.runtime.name, text }, 'malformed reply');
    return this.refused(request, {
      code: 'EIO',
      detail: 'the command was executed, but the device answered with bytes that cannot be believed',
      returnCode: errnoTable.EIO.returnCode,
    });
  }

  /** A defect of ours over an answer: the command was executed, and neither journal nor caller is told otherwise. */
  private async brokenAfter(
    request: Request,
    decided: Decided,
    decision: Decision,
    intent: number | undefined,
    error: unknown,
  ): Promise<CoreResult<CommandAnswer>> {
    this.services.log.error({ requestId: request.id, err: error }, 'the broker failed over an answer');
    const note = 'the broker failed over the answer, which was not passed on';
    await this.record(request, decided, decision, { outcome: 'done', intent, note });
    this.count(decided, decision, request, 'defect');
    return this.refused(request, {
      code: 'EINTERNAL',
      detail: 'the command was executed, but the broker failed over its answer',
      returnCode: RC.internalError,
    });
  }

  /** An outcome that cannot be written down is a gap in the journal: taint A, and the caller is told. */
  private async record(request: Request, decided: Decided, decision: Decision, ended: Ended): Promise<boolean> {
    try {
      await recordOutcome(this.services, request, decided, decision, ended);
      return true;
    } catch (error) {
      await leaveGap(this.services, request, decided, error);
      return false;
    }
  }

  private async refusedTo(
    request: Request,
    principal: Principal,
    refusal: Refusal,
    seen?: Parameters<typeof recordRefusal>[4],
  ): Promise<CoreResult<never>> {
    // Without a journal the refusal itself is what the caller needs to hear; the journal's failure is logged already.
    const isAlone = this.recordsAlone(principal, refusal, isRaw(seen));
    if (refusal !== unrecordable && isAlone) await recordRefusal(this.services, request, principal, refusal, seen);
    return this.refused(request, refusal);
  }

  private refused(request: Request, refusal: Refusal): CoreResult<never> {
    this.services.metrics.refusals.inc({ code: refusal.code });
    return { ok: false, problem: problemOf(request, refusal) };
  }

  /** A failure inside the broker itself refuses the request and is visible in the log, the metrics and the journal. */
  private async broken(request: Request, error: unknown): Promise<CoreResult<never>> {
    const { journal, log } = this.services;
    log.error({ requestId: request.id, err: error }, 'refused because the broker itself failed');
    if (journal.health().state !== 'open') {
      return this.refused(request, unrecordable);
    }
    const text = error instanceof Error ? `${error.name}: ${error.message}` : 'unknown';
    await journal
      .append(
        'decision',
        { requestId: request.id, verdict: 'deny', flags: ['denied'], details: { defect: text } },
        { durable: false },
      )
      .catch((failure: unknown) => log.error({ err: failure }, 'the defect could not be recorded either'));
    return this.refused(request, {
      code: 'EINTERNAL',
      detail: 'refused: something inside the broker failed',
      returnCode: RC.internalError,
    });
  }

  private count(decided: Decided, decision: Decision, request: Request, end: string): void {
    const { metrics, log, nowMs } = this.services;
    const seconds = (nowMs() - request.startedMs) / 1000;
    const { class: kind, command } = decision.facts;
    const { runtime, principal } = decided;
    const isRawCommand = kind === 'raw';
    // Who sends raw commands is in the log before he has his answer.
    if (isRawCommand) {
      log.warn({ requestId: request.id, principal: principal.name, command, end }, 'unaudited command');
    }
    this.behind.add(() => {
      metrics.commands.inc({ switch: runtime.name, class: kind, end });
      metrics.ofTenants.commands.inc({ tenant: principal.tenant, class: kind, end });
      metrics.durations.observe({ class: kind }, seconds);
      if (isRawCommand) metrics.unaudited.inc({ switch: runtime.name });
    });
  }
}

/** Of these no client can make many: he has to go away, or the broker to stop. */
const ALONE: ReadonlySet<string> = new Set(['cancelled', 'closed']);

/** Whoever sends raw commands is on record with each of them. */
function isRaw(seen: Parameters<typeof recordRefusal>[4]): boolean {
  return seen?.decision.facts.class === 'raw';
}

/** What the caller is told of a command without an answer: first of all, whether it may have been executed. */
function whatFailed(decision: Decision, failure: DeviceFailure): string {
  if (failure.outcome === 'unknown') {
    const advice = needsIntent(decision) ? 'look before you repeat it' : 'it changes nothing';
    return `the switch did not answer: whether the command was executed is unknown (${advice})`;
  }
  if (failure.errno === 'EAGAIN' || failure.errno === 'EBUSY') return `the command was not sent: ${failure.text}`;
  // What the carrier says is for operators; that it is in quarantine is for everybody who waits for it.
  return `the command was not sent: ${failure.quarantined === true ? failure.text : 'the switch is not available'}`;
}

const handleInUse: Refusal = {
  code: 'EPARAM',
  detail: 'the handle of the request is that of another one that is under way',
  returnCode: RC.invalidInput,
};

const unrecorded: Refusal = {
  code: 'EIO',
  detail: 'the command was executed, but its outcome could not be recorded: the journal has its intent only',
  returnCode: errnoTable.EIO.returnCode,
};

export function problemOf(request: { readonly id: string }, refusal: Refusal): Problem {
  const { code, detail, returnCode, reasons, field, retryAfterMs, dpop } = refusal;
  return {
    code,
    detail,
    requestId: request.id,
    returnCode,
    ...(reasons === undefined ? {} : { reasons }),
    ...(field === undefined ? {} : { field }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(dpop === undefined ? {} : { dpop }),
  };
}
