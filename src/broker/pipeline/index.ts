import { randomUUID } from 'node:crypto';
import { RC } from '../../cci/index.ts';
import { type Decision, errnoTable, type Principal } from '../../policy/index.ts';
import type { CommandAnswer, CommandRequest, CoreResult, Credential, DecisionAnswer, Problem } from '../core-api.ts';
import type { DeviceFailure } from '../device.ts';
import { Admission } from './admit.ts';
import { decisionAnswer } from './answer.ts';
import { authenticate } from './authenticate.ts';
import type { Decided, Refusal, Request, Services } from './context.ts';
import { consider, decide, raiseTaints } from './decide.ts';
import { decode } from './decode.ts';
import { type Dispatched, dispatch, needsIntent, raiseMalformed, unrecordable } from './dispatch.ts';
import { type Ended, recordOutcome, recordRefusal } from './record.ts';
import { replyTo } from './reply.ts';
import { seenSwitch } from './seen-switch.ts';
import { virtualReply } from './virtual.ts';

export { authenticate } from './authenticate.ts';
export type { Refusal, Request, Services, SwitchRuntime } from './context.ts';
export { seenSwitch, seenSwitches } from './seen-switch.ts';

/**
 * The pipeline: authenticate, admit, decode, classify and resolve and decide, schedule, record intent, forward, verify,
 * filter, record outcome, reply. Each stage is a function from one typed value to the next; a refusal is a value.
 */
export class Pipeline {
  private readonly services: Services;
  private readonly admission: Admission;

  constructor(services: Services) {
    this.services = services;
    this.admission = new Admission(services.limits.perTenant);
  }

  async submit(
    credential: Credential,
    switchName: string,
    command: CommandRequest,
  ): Promise<CoreResult<CommandAnswer>> {
    const request: Request = { id: randomUUID(), source: credential.source, startedMs: this.services.nowMs() };
    try {
      const principal = await authenticate(this.services, credential, request);
      if (!principal.ok) return this.refused(request, principal.error);
      const admitted = this.admission.admit(principal.value.tenant, command);
      if (!admitted.ok) return await this.refusedTo(request, principal.value, admitted.error);
      try {
        return await this.run(request, credential, principal.value, switchName, command);
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
      const principal = await authenticate(services, credential, request);
      if (!principal.ok) return this.refused(request, principal.error);
      const admitted = this.admission.admit(principal.value.tenant, command);
      if (!admitted.ok) return this.refused(request, admitted.error);
      try {
        const runtime = seenSwitch(services, principal.value, switchName);
        if (runtime === undefined) return this.refused(request, foreign);
        const decoded = decode(switchName, command);
        if (!decoded.ok) return this.refused(request, decoded.error);
        const { decision, refusal } = await consider(services, runtime, principal.value, decoded.value);
        return { ok: true, value: decisionAnswer(services, request, principal.value, decision, refusal) };
      } finally {
        admitted.value();
      }
    } catch (error) {
      return this.broken(request, error);
    }
  }

  private async run(
    request: Request,
    credential: Credential,
    principal: Principal,
    switchName: string,
    command: CommandRequest,
  ): Promise<CoreResult<CommandAnswer>> {
    const { services } = this;
    const runtime = seenSwitch(services, principal, switchName);
    // A switch that is not there looks like one that is somebody else's.
    if (runtime === undefined) return this.refusedTo(request, principal, foreign);
    const decoded = decode(switchName, command);
    if (!decoded.ok) return this.refusedTo(request, principal, decoded.error);
    const decided = await decide(services, runtime, principal, decoded.value, request);
    if (!decided.ok) {
      const seen = { runtime, decoded: decoded.value, decision: decided.error.decision };
      return this.refusedTo(request, principal, decided.error.refusal, seen);
    }
    return this.carryOut(request, { ...decided.value, stillValid: validity(services, credential, principal) });
  }

  private async carryOut(request: Request, decided: Decided): Promise<CoreResult<CommandAnswer>> {
    const { services } = this;
    const virtual = virtualReply(decided);
    const dispatched: Dispatched =
      virtual === undefined
        ? await dispatch(services, request, decided)
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

    let answer: Awaited<ReturnType<typeof replyTo>>;
    try {
      answer = await replyTo(services, request, decided, decision, reply.reply);
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

  private async failed(
    request: Request,
    decided: Decided,
    decision: Decision,
    intent: number | undefined,
    failure: DeviceFailure,
  ): Promise<CoreResult<CommandAnswer>> {
    await this.record(request, decided, decision, { outcome: failure.outcome, intent, failure });
    this.count(decided, decision, request, failure.outcome);
    const detail =
      failure.outcome === 'unknown'
        ? `the switch did not answer: whether the command was executed is unknown (${needsIntent(decision) ? 'look before you repeat it' : 'it changes nothing'})`
        : failure.errno === 'EAGAIN'
          ? failure.text
          : 'the command was not sent: the switch is not available';
    return this.refused(request, {
      code: failure.errno,
      detail,
      returnCode: errnoTable[failure.errno].returnCode,
      ...(failure.errno === 'EAGAIN' ? { retryAfterMs: 100 } : {}),
    });
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
      this.services.log.error({ requestId: request.id, err: error }, 'an outcome could not be recorded');
      await raiseTaints(decided.runtime, decided.principal, request, [
        { letter: 'A', scope: `/switches/${decided.runtime.name}`, reason: 'an outcome could not be recorded' },
      ]).catch((failure: unknown) => this.services.log.error({ err: failure }, 'nor could the taint'));
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
    if (refusal !== unrecordable) await recordRefusal(this.services, request, principal, refusal, seen);
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
    const { metrics } = this.services;
    metrics.commands.inc({ switch: decided.runtime.name, class: decision.facts.class, end });
    metrics.durations.observe({ class: decision.facts.class }, (this.services.nowMs() - request.startedMs) / 1000);
    if (decision.facts.class === 'raw') {
      metrics.unaudited.inc({ switch: decided.runtime.name });
      this.services.log.warn(
        { requestId: request.id, principal: decided.principal.name, command: decision.facts.command, end },
        'unaudited command',
      );
    }
  }
}

/** A token that was good stays so until it expires or something is revoked; only then it is looked at again. */
function validity(services: Services, credential: Credential, principal: Principal): () => Promise<boolean> {
  const { version } = services.revocations;
  return async () => {
    if (principal.expiresAtMs <= services.nowMs()) return false;
    return services.revocations.version === version || (await services.authenticator.authenticate(credential.token)).ok;
  };
}

/** What anything gets that is not there, or not the caller's. */
const foreign: Refusal = {
  code: 'EPERM',
  detail: errnoTable.EPERM.text,
  returnCode: errnoTable.EPERM.returnCode,
};

const unrecorded: Refusal = {
  code: 'EIO',
  detail: 'the command was executed, but its outcome could not be recorded: the journal has its intent only',
  returnCode: errnoTable.EIO.returnCode,
};

export function problemOf(request: { readonly id: string }, refusal: Refusal): Problem {
  const { code, detail, returnCode, reasons, field, retryAfterMs } = refusal;
  return {
    code,
    detail,
    requestId: request.id,
    returnCode,
    ...(reasons === undefined ? {} : { reasons }),
    ...(field === undefined ? {} : { field }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
}
