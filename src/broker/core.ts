import { randomUUID } from 'node:crypto';
import { type CommandRow, catalogue, isTyped } from '../cci/index.ts';
import { errnoTable, FABRIC_TENANT, type Principal } from '../policy/index.ts';
import { type LockdownLevel, PostureError, taintBits } from '../taint/index.ts';
import type {
  CommandAnswer,
  CommandRequest,
  CoreApi,
  CoreResult,
  Credential,
  DecisionAnswer,
  OfferedCommand,
  OperationView,
  PostureAnswer,
  Readiness,
  SwitchSummary,
  TaintAnswer,
  WhoAmI,
} from './core-api.ts';
import type { Operation } from './operations.ts';
import {
  authenticate,
  Pipeline,
  problemOf,
  type Refusal,
  type Request,
  type Services,
  type SwitchRuntime,
  seenSwitch,
  seenSwitches,
} from './pipeline/index.ts';

/** The core behind its one door. Knows nothing of HTTP. */
export class Core implements CoreApi {
  private readonly services: Services;
  private readonly pipeline: Pipeline;

  constructor(services: Services) {
    this.services = services;
    this.pipeline = new Pipeline(services);
  }

  submit(credential: Credential, switchName: string, request: CommandRequest): Promise<CoreResult<CommandAnswer>> {
    return this.pipeline.submit(credential, switchName, request);
  }

  decide(credential: Credential, switchName: string, command: CommandRequest): Promise<CoreResult<DecisionAnswer>> {
    return this.pipeline.explain(credential, switchName, command);
  }

  whoami(credential: Credential): Promise<CoreResult<WhoAmI>> {
    return this.asked(credential, [], async (principal) => {
      const { fabric } = this.services.policy.current;
      return {
        principal: principal.name,
        tenant: principal.tenant,
        issuer: principal.issuer,
        subject: principal.subject,
        names: principal.names,
        scopes: principal.scopes,
        expiresAtMs: principal.expiresAtMs,
        owns: fabric.objects.filter((path) => fabric.ownerOf(path) === principal.tenant),
        roles: this.services.policy.engine.roles(principal),
      };
    });
  }

  switches(credential: Credential): Promise<CoreResult<readonly SwitchSummary[]>> {
    return this.asked(credential, [], async (principal) => {
      const { fabric } = this.services.policy.current;
      const all: SwitchSummary[] = [];
      for (const runtime of seenSwitches(this.services, principal)) {
        const prefix = `/switches/${runtime.name}/`;
        const resources = fabric.objects.filter(
          (path) => path.startsWith(prefix) && fabric.ownerOf(path) === principal.tenant,
        );
        all.push({
          name: runtime.name,
          backend: principal.tenant === FABRIC_TENANT ? runtime.device.identity.description : 'switch',
          state: runtime.device.state === 'serving' ? 'serving' : 'unavailable',
          resources,
        });
      }
      return all;
    });
  }

  commands(credential: Credential, switchName: string): Promise<CoreResult<readonly OfferedCommand[]>> {
    return this.asked(credential, [], async (principal) => {
      if (seenSwitch(this.services, principal, switchName) === undefined) return notThere;
      const runnable = await this.services.policy.runnable(principal);
      return (catalogue as readonly CommandRow[])
        .filter((row) => isTyped(row) && row.notOffered === undefined && row.claimed === undefined)
        .map((row) => ({
          opcode: row.opcode,
          slug: row.slug,
          name: row.name,
          class: row.allowlisted === undefined ? 'audited' : 'allowlisted',
          scope: row.scope,
          allowed: runnable.has(row.opcode),
        }));
    });
  }

  operations(credential: Credential, switchName: string): Promise<CoreResult<readonly OperationView[]>> {
    return this.asked(credential, [], async (principal) => {
      const runtime = seenSwitch(this.services, principal, switchName);
      if (runtime === undefined) return notThere;
      return runtime.operations
        .list(principal.tenant, principal.tenant === FABRIC_TENANT)
        .map((operation) => operationView(switchName, operation));
    });
  }

  operation(credential: Credential, switchName: string, id: string): Promise<CoreResult<OperationView>> {
    return this.asked(credential, [], async (principal) => {
      const found = seenSwitch(this.services, principal, switchName)?.operations.get(
        id,
        principal.tenant,
        principal.tenant === FABRIC_TENANT,
      );
      return found === undefined ? notThere : operationView(switchName, found);
    });
  }

  posture(credential: Credential): Promise<CoreResult<readonly PostureAnswer[]>> {
    return this.asked(credential, [], async (principal) => this.postures(principal));
  }

  raiseLockdown(
    credential: Credential,
    level: LockdownLevel,
    reason: string,
  ): Promise<CoreResult<readonly PostureAnswer[]>> {
    return this.asked(credential, ['cci:posture'], async (principal, request) => {
      if (principal.tenant !== FABRIC_TENANT) return operatorsOnly;
      const { raised, refused } = await this.raiseAll(level, principal, reason);
      // First in force everywhere, then written down: a journal that fails keeps no switch unlocked.
      for (const runtime of raised) {
        await this.services.journal.append(
          'posture',
          {
            switch: runtime.name,
            requestId: request.id,
            change: 'lockdown',
            by: principal.name,
            level,
            reason,
            details: { source: request.source, tokenId: principal.tokenId },
          },
          { durable: true },
        );
      }
      // One switch that stood there already is no reason to call the others refused.
      const failed = refused.find(({ code }) => code !== 'EPERM') ?? (raised.length === 0 ? refused[0] : undefined);
      return failed === undefined ? this.postures(principal) : refusalOfPosture(failed);
    });
  }

  taint(credential: Credential): Promise<CoreResult<readonly TaintAnswer[]>> {
    return this.asked(credential, [], async (principal) => this.taints(principal));
  }

  reloadPolicy(credential: Credential): Promise<CoreResult<{ readonly snapshot: string; readonly rules: number }>> {
    return this.asked(credential, ['cci:policy'], async (principal, request) => {
      if (principal.tenant !== FABRIC_TENANT) return operatorsOnly;
      const problems = await this.reload({ principal: principal.name, requestId: request.id });
      if (problems.length === 0) {
        const { id, counters } = this.services.policy.current;
        return { snapshot: id, rules: counters.rules };
      }
      const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : '';
      return refusal('EPARAM', `the policy in force stays: ${problems[0]}${more}`);
    });
  }

  /** Reloads the policy and journals what came of it; used by the API and by SIGHUP. */
  async reload(by: { readonly principal: string; readonly requestId?: string }): Promise<readonly string[]> {
    const { policy, journal } = this.services;
    const previous = policy.current.id;
    const problems = await policy.reload();
    const { id, counters, loosened } = policy.current;
    await journal.append(
      'policy',
      {
        ...(by.requestId === undefined ? {} : { requestId: by.requestId }),
        by: by.principal,
        change: problems.length === 0 ? 'loaded' : 'refused',
        snapshot: id,
        previous,
        rules: counters.rules,
        loosened,
        ...(problems.length === 0 ? {} : { reason: problems.slice(0, 20).join('\n') }),
      },
      { durable: true },
    );
    return problems;
  }

  async readiness(): Promise<Readiness> {
    const { journal, switches } = this.services;
    // Asked without a token: which switches there are, and which of them is away, is for those who have one.
    const away = [...switches.values()].find(({ device }) => device.state !== 'serving');
    const checks = [
      { name: 'journal', ok: journal.health().state === 'open', detail: journal.health().state },
      { name: 'switches', ok: away === undefined, detail: away?.device.state ?? 'serving' },
    ];
    return { ready: checks.every((check) => check.ok), checks };
  }

  async metrics(): Promise<string> {
    const { metrics, switches, journal } = this.services;
    metrics.journalUp.set(journal.health().state === 'open' ? 1 : 0);
    for (const runtime of switches.values()) {
      const labels = { switch: runtime.name };
      metrics.queue.set(labels, runtime.device.waiting);
      metrics.deviceUp.set(labels, runtime.device.state === 'serving' ? 1 : 0);
      metrics.taint.set(labels, runtime.posture.posture().taint.mask);
    }
    return metrics.registry.metrics();
  }

  /** Raises the level on every switch that takes it: one that refuses must not keep the others unlocked. */
  private async raiseAll(level: LockdownLevel, principal: Principal, reason: string) {
    const raised: SwitchRuntime[] = [];
    const refused: PostureError[] = [];
    for (const runtime of this.services.switches.values()) {
      const before = runtime.posture.posture().lockdown.runTime;
      try {
        await runtime.posture.raise(level, principal.name, reason);
        raised.push(runtime);
      } catch (error) {
        if (!(error instanceof PostureError)) throw error;
        refused.push(error);
        // What could not be written to the ledger is in force all the same, and belongs into the journal.
        if (runtime.posture.posture().lockdown.runTime !== before) raised.push(runtime);
      }
    }
    return { raised, refused };
  }

  private postures(principal: Principal): readonly PostureAnswer[] {
    return seenSwitches(this.services, principal).map((runtime) => {
      const { lockdown, profile, rawCommands, rawAllowAll, underLockdown, taint } = runtime.posture.posture();
      return {
        switch: runtime.name,
        profile,
        lockdown,
        rawCommands,
        rawAllowAll,
        underLockdown,
        taint: { mask: taint.mask, letters: taint.letters },
      };
    });
  }

  /** Everybody may see number and letters; who raised a bit and why is for operators, and for the tenant itself. */
  private taints(principal: Principal): readonly TaintAnswer[] {
    const { fabric } = this.services.policy.current;
    return seenSwitches(this.services, principal).map((runtime) => {
      const { taint } = runtime.posture.posture();
      const visible = taint.entries.filter(
        (entry) =>
          principal.tenant === FABRIC_TENANT ||
          fabric.ownerOf(entry.scope as `/switches/${string}`) === principal.tenant ||
          entry.by === principal.name,
      );
      return {
        switch: runtime.name,
        mask: taint.mask,
        letters: taint.letters,
        entries: visible.map((entry) => {
          const bit = taintBits.find((row) => row.letter === entry.letter);
          return {
            ...entry,
            bit: bit?.bit ?? -1,
            meaning: bit?.meaning ?? '',
            acknowledged: taint.acknowledgements.some(
              (ack) => ack.letter === entry.letter && ack.scope === entry.scope && ack.atMs >= entry.atMs,
            ),
          };
        }),
      };
    });
  }

  /** Authenticates, checks scopes, and turns refusals into problems. A defect refuses. */
  private async asked<T>(
    credential: Credential,
    scopes: Principal['scopes'],
    answer: (principal: Principal, request: Request) => Promise<T | RefusedValue>,
  ): Promise<CoreResult<T>> {
    const request: Request = { id: randomUUID(), source: credential.source, startedMs: this.services.nowMs() };
    try {
      const principal = await authenticate(this.services, credential, request);
      if (!principal.ok) return { ok: false, problem: problemOf(request, principal.error) };
      const missing = scopes.find((scope) => !principal.value.scopes.includes(scope));
      const value =
        missing === undefined
          ? await answer(principal.value, request)
          : refusal('EPERM', `this needs a token with the scope \`${missing}\``);
      if (!isRefused(value)) return { ok: true, value };
      return { ok: false, problem: problemOf(request, value.refusal) };
    } catch (error) {
      this.services.log.error({ requestId: request.id, err: error }, 'refused because the broker itself failed');
      return { ok: false, problem: problemOf(request, defect) };
    }
  }
}

/** Marks a refusal among answers of any type. */
interface RefusedValue {
  readonly refusal: Refusal;
}

function isRefused(value: unknown): value is RefusedValue {
  return typeof value === 'object' && value !== null && refusals.has(value);
}

const refusals = new WeakSet<object>();

function refusal(code: Refusal['code'], detail: string): RefusedValue {
  const value: RefusedValue = { refusal: { code, detail, returnCode: errnoTable.EPERM.returnCode } };
  refusals.add(value);
  return value;
}

const notThere = refusal('ENOENT', 'there is no such thing here for you');
const operatorsOnly = refusal('EPERM', `this is for operators: principals of tenant \`${FABRIC_TENANT}\``);
const defect: Refusal = {
  code: 'EINTERNAL',
  detail: 'refused: something inside the broker failed',
  returnCode: errnoTable.EIO.returnCode,
};

function refusalOfPosture(error: PostureError): RefusedValue {
  return refusal(error.code === 'EPERM' ? 'EPERM' : error.code === 'EINVAL' ? 'EPARAM' : 'EIO', error.message);
}

function operationView(switchName: string, operation: Operation): OperationView {
  const { id, command, opcode, state, percent, returnCode, startedAtMs } = operation;
  return {
    id,
    switch: switchName,
    command,
    opcode,
    state,
    percent,
    startedAtMs,
    ...(returnCode === undefined ? {} : { returnCode }),
  };
}
