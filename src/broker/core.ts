import { randomUUID } from 'node:crypto';
import { type CommandRow, formatVia, isTyped, isVendorRow, jsonSchemaOf } from '../cci/index.ts';
import { errnoTable, FABRIC_TENANT, type Principal } from '../policy/index.ts';
import { type LockdownLevel, PostureError, taintBits } from '../taint/index.ts';
import type { Purpose, Wish } from './auth/index.ts';
import type { ConsoleService } from './console/index.ts';
import type { ConsoleApi } from './console-api.ts';
import type {
  CommandAnswer,
  CommandRequest,
  CoreApi,
  CoreResult,
  Credential,
  DecisionAnswer,
  EventPage,
  EventQuery,
  OfferedCommand,
  OperationView,
  PostureAnswer,
  Readiness,
  RevocationView,
  RevocationWish,
  SubmitOptions,
  SwitchSummary,
  TaintAnswer,
  TopologyAnswer,
  WhoAmI,
} from './core-api.ts';
import { ConsoleDoor } from './core-consoles.ts';
import { readEvents } from './events/index.ts';
import type { Operation } from './operations.ts';
import {
  authenticate,
  authenticateStream,
  Pipeline,
  problemOf,
  type Refusal,
  type Request,
  type Services,
  type SwitchRuntime,
  seenSwitch,
  seenSwitches,
} from './pipeline/index.ts';
import { postureSeen, taintSeen } from './posture-views.ts';
import { changeRevocations, revocationViews } from './revocation-views.ts';
import { acceptTopology, acknowledgeTaint, topologyAnswer } from './topology-views.ts';

/** The core behind its one door. Knows nothing of HTTP. */
export class Core implements CoreApi {
  private readonly services: Services;
  private readonly pipeline: Pipeline;
  private readonly openConsoles: (switchName: string) => number;

  constructor(services: Services, consoles?: ConsoleService) {
    this.services = services;
    this.pipeline = new Pipeline(services);
    this.openConsoles = (name) => consoles?.openOn(name) ?? 0;
    const door = new ConsoleDoor(services, consoles);
    this.consoles = door.consoles;
    this.consoleRequest = door.consoleRequest;
    this.consoleRequested = door.consoleRequested;
    this.consoleApprove = door.consoleApprove;
    this.consoleDeny = door.consoleDeny;
    this.consoleOpen = door.consoleOpen;
    this.consoleWatch = door.consoleWatch;
    this.consoleRead = door.consoleRead;
    this.consoleWrite = door.consoleWrite;
    this.consoleResize = door.consoleResize;
    this.consoleLeave = door.consoleLeave;
    this.consoleClose = door.consoleClose;
    this.consoleKill = door.consoleKill;
  }

  readonly consoles: ConsoleApi['consoles'];
  readonly consoleRequest: ConsoleApi['consoleRequest'];
  readonly consoleRequested: ConsoleApi['consoleRequested'];
  readonly consoleApprove: ConsoleApi['consoleApprove'];
  readonly consoleDeny: ConsoleApi['consoleDeny'];
  readonly consoleOpen: ConsoleApi['consoleOpen'];
  readonly consoleWatch: ConsoleApi['consoleWatch'];
  readonly consoleRead: ConsoleApi['consoleRead'];
  readonly consoleWrite: ConsoleApi['consoleWrite'];
  readonly consoleResize: ConsoleApi['consoleResize'];
  readonly consoleLeave: ConsoleApi['consoleLeave'];
  readonly consoleClose: ConsoleApi['consoleClose'];
  readonly consoleKill: ConsoleApi['consoleKill'];

  submit(
    credential: Credential,
    switchName: string,
    request: CommandRequest,
    options?: SubmitOptions,
  ): Promise<CoreResult<CommandAnswer>> {
    return this.pipeline.submit(credential, switchName, request, options);
  }

  async cancel(handle: string): Promise<void> {
    this.pipeline.cancel(handle);
  }

  decide(credential: Credential, switchName: string, command: CommandRequest): Promise<CoreResult<DecisionAnswer>> {
    return this.pipeline.explain(credential, switchName, command);
  }

  async begin(credential: Credential): Promise<CoreResult<Credential>> {
    const request: Request = { id: randomUUID(), source: credential.source, startedMs: this.services.nowMs() };
    try {
      const begun = await authenticateStream(this.services, credential, request);
      return begun.ok ? begun : { ok: false, problem: problemOf(request, begun.error) };
    } catch (error) {
      this.services.log.error({ requestId: request.id, err: error }, 'refused because the broker itself failed');
      return { ok: false, problem: problemOf(request, defect) };
    }
  }

  async end(session: string): Promise<void> {
    this.services.authenticator.end(session);
  }

  whoami(credential: Credential): Promise<CoreResult<WhoAmI>> {
    return this.asked(credential, [], 'view', async (principal) => {
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
        limits: {
          weight: this.services.weightOf(principal.tenant),
          ...this.services.quotas.view(principal.tenant),
        },
      };
    });
  }

  switches(credential: Credential): Promise<CoreResult<readonly SwitchSummary[]>> {
    return this.asked(credential, [], 'view', async (principal) => {
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
    return this.asked(credential, [], 'view', async (principal) => {
      if (seenSwitch(this.services, principal, switchName) === undefined) return notThere;
      const runnable = await this.services.policy.runnable(principal);
      return this.services.policy.current.commands.rows
        .filter((row) => isTyped(row) && row.notOffered === undefined)
        .filter((row) => row.claimed === undefined || row.virtual !== undefined)
        .map((row) => ({
          opcode: row.opcode,
          slug: row.slug,
          name: row.name,
          class: row.allowlisted === undefined ? 'audited' : 'allowlisted',
          scope: row.scope,
          allowed: runnable.has(row.opcode),
          ...vendorView(row),
        }));
    });
  }

  operations(credential: Credential, switchName: string): Promise<CoreResult<readonly OperationView[]>> {
    return this.asked(credential, [], 'view', async (principal) => {
      const runtime = seenSwitch(this.services, principal, switchName);
      if (runtime === undefined) return notThere;
      return runtime.operations
        .list(principal.tenant, principal.tenant === FABRIC_TENANT)
        .map((operation) => operationView(switchName, operation));
    });
  }

  operation(credential: Credential, switchName: string, id: string): Promise<CoreResult<OperationView>> {
    return this.asked(credential, [], 'view', async (principal) => {
      const found = seenSwitch(this.services, principal, switchName)?.operations.get(
        id,
        principal.tenant,
        principal.tenant === FABRIC_TENANT,
      );
      return found === undefined ? notThere : operationView(switchName, found);
    });
  }

  events(credential: Credential, switchName: string, query: EventQuery = {}): Promise<CoreResult<EventPage>> {
    return this.asked(credential, ['cci:read'], 'view', async (principal, request) => {
      const answer = await readEvents(this.services, credential, principal, request, switchName, query);
      return answer.ok ? answer.value : refusedWith(answer.error);
    });
  }

  posture(credential: Credential): Promise<CoreResult<readonly PostureAnswer[]>> {
    return this.asked(credential, [], 'view', async (principal) => this.postures(principal));
  }

  raiseLockdown(
    credential: Credential,
    level: LockdownLevel,
    reason: string,
  ): Promise<CoreResult<readonly PostureAnswer[]>> {
    const wish = (): Wish => ['posture/lockdown', null, { level, reason }];
    return this.asked(credential, ['cci:posture'], wish, async (principal, request) => {
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
    return this.asked(credential, [], 'view', async (principal) => this.taints(principal));
  }

  acknowledgeTaint(
    credential: Credential,
    letter: string,
    scope: string,
    reason: string,
  ): Promise<CoreResult<readonly TaintAnswer[]>> {
    const wish = (): Wish => ['taint/acknowledge', null, { letter, scope, reason }];
    return this.asked(credential, ['cci:posture'], wish, async (principal, request) => {
      if (principal.tenant !== FABRIC_TENANT) return operatorsOnly;
      const bit = taintBits.find((row) => row.letter === letter);
      if (bit === undefined) return refusal('EPARAM', 'there is no such letter in the taint register');
      const runtime = this.services.switches.get(scope.split('/')[2] ?? '');
      if (runtime === undefined || !scope.startsWith('/switches/')) return notThere;
      const given = { letter: bit.letter, scope, reason };
      const refused = await acknowledgeTaint(runtime, this.services.journal, principal, request, given);
      return refused === undefined ? this.taints(principal) : refusal(refused.refused, refused.detail);
    });
  }

  topology(credential: Credential, switchName: string): Promise<CoreResult<TopologyAnswer>> {
    return this.asked(credential, [], 'view', async (principal) => {
      const runtime = seenSwitch(this.services, principal, switchName);
      return runtime === undefined ? notThere : topologyAnswer(runtime, principal, this.services.policy.current.fabric);
    });
  }

  acceptTopology(
    credential: Credential,
    switchName: string,
    reason: string,
    picture?: string,
  ): Promise<CoreResult<TopologyAnswer>> {
    const wish = (): Wish => ['topology/accept', switchName, { reason, picture }];
    return this.asked(credential, ['cci:posture'], wish, async (principal, request) => {
      if (principal.tenant !== FABRIC_TENANT) return operatorsOnly;
      const { journal, policy, switches } = this.services;
      const runtime = switches.get(switchName);
      if (runtime === undefined) return notThere;
      const refused = await acceptTopology(runtime, journal, principal, request, { reason, picture });
      if (refused !== undefined) return refusal(refused.refused, refused.detail);
      return topologyAnswer(runtime, principal, policy.current.fabric);
    });
  }

  reloadPolicy(credential: Credential): Promise<CoreResult<{ readonly snapshot: string; readonly rules: number }>> {
    const wish = (): Wish => ['policy/reload', null, {}];
    return this.asked(credential, ['cci:policy'], wish, async (principal, request) => {
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

  revocations(credential: Credential): Promise<CoreResult<readonly RevocationView[]>> {
    return this.asked(credential, ['cci:posture'], 'view', async (principal) =>
      principal.tenant === FABRIC_TENANT ? revocationViews(this.services) : operatorsOnly,
    );
  }

  revoke(credential: Credential, wish: RevocationWish): Promise<CoreResult<readonly RevocationView[]>> {
    return this.asked(
      credential,
      ['cci:posture'],
      () => ['revocations', null, wish],
      async (principal, request) => {
        if (principal.tenant !== FABRIC_TENANT) return operatorsOnly;
        const refused = await changeRevocations(this.services, principal, request, wish);
        return refused === undefined ? revocationViews(this.services) : refusedWith(refused);
      },
    );
  }

  /** Reloads the policy and journals what came of it; used by the API and by SIGHUP. */
  async reload(by: {
    readonly principal: string;
    readonly requestId?: string;
    /** Nothing is recorded where what the files say is in force already. */
    readonly quietIfSame?: true;
  }): Promise<readonly string[]> {
    const { policy, journal } = this.services;
    const previous = policy.current.id;
    const { changed, problems } = await policy.reload();
    if (!changed && problems.length === 0 && by.quietIfSame) return [];
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
        ...(policy.shadow === undefined ? {} : { details: { shadow: policy.shadow.id } }),
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
    const { crosscheck } = this.services;
    const differs = (crosscheck?.differences ?? 0) > 0;
    const checks = [
      { name: 'journal', ok: journal.health().state === 'open', detail: journal.health().state },
      { name: 'switches', ok: away === undefined, detail: away?.device.state ?? 'serving' },
      // A reference that does not run is no reason to refuse service; one that disagrees is.
      ...(crosscheck === undefined
        ? []
        : [{ name: 'policy-crosscheck', ok: !differs, detail: differs ? 'differs' : crosscheck.state }]),
    ];
    return { ready: checks.every((check) => check.ok), checks };
  }

  async metrics(credential?: Credential): Promise<string> {
    const { metrics, switches, journal } = this.services;
    metrics.journalUp.set(journal.health().state === 'open' ? 1 : 0);
    for (const runtime of switches.values()) {
      const labels = { switch: runtime.name };
      metrics.queue.set(labels, runtime.device.waiting);
      metrics.deviceUp.set(labels, runtime.device.state === 'serving' ? 1 : 0);
      metrics.taint.set(labels, runtime.posture.posture().taint.mask);
      metrics.running.set(labels, runtime.operations.runningCount);
      metrics.overdue.set(labels, runtime.operations.overdue);
      metrics.consoles.set(labels, this.openConsoles(runtime.name));
    }
    if (!(await this.isOperator(credential))) return metrics.textForEverybody();
    return `${await metrics.registry.metrics()}\n${await this.tenantMetrics()}`;
  }

  /** Whoever shows no token, or another's, gets what everybody gets: what a scraper is told is no matter for a refusal. */
  private async isOperator(credential: Credential | undefined): Promise<boolean> {
    if (credential === undefined || credential.token === '') return false;
    const principal = await this.services.authenticator.authenticate(credential, 'view');
    return principal.ok && principal.value.tenant === FABRIC_TENANT;
  }

  private tenantMetrics(): Promise<string> {
    const { metrics, switches, quotas, policy } = this.services;
    const { ofTenants } = metrics;
    for (const [tenant, count] of quotas.underWay()) ofTenants.underWay.set({ tenant }, count);
    for (const runtime of switches.values()) {
      for (const tenant of policy.current.fabric.tenants) {
        ofTenants.waiting.set({ switch: runtime.name, tenant }, runtime.device.waitingOf(tenant));
      }
    }
    return ofTenants.registry.metrics();
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
    const { fabric } = this.services.policy.current;
    return seenSwitches(this.services, principal).map(({ name, posture }) =>
      postureSeen(name, posture.posture(), principal, fabric),
    );
  }

  private taints(principal: Principal): readonly TaintAnswer[] {
    const { fabric } = this.services.policy.current;
    return seenSwitches(this.services, principal).map(({ name, posture }) =>
      taintSeen(name, posture.posture(), principal, fabric),
    );
  }

  /**
   * Authenticates, checks scopes, and turns refusals into problems. A defect refuses.
   *
   * @param purpose what is asked for; `view` where nothing is changed
   */
  private async asked<T>(
    credential: Credential,
    scopes: Principal['scopes'],
    purpose: Purpose,
    answer: (principal: Principal, request: Request) => Promise<T | RefusedValue>,
  ): Promise<CoreResult<T>> {
    const request: Request = { id: randomUUID(), source: credential.source, startedMs: this.services.nowMs() };
    try {
      const principal = await authenticate(this.services, credential, request, purpose);
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

function refusedWith(reason: Refusal): RefusedValue {
  const value: RefusedValue = { refusal: reason };
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

/** What a client needs to offer a command that it has never heard of. */
function vendorView(row: CommandRow): Pick<OfferedCommand, 'vendor'> {
  if (!isVendorRow(row)) return {};
  const { review, definition } = row.vendor;
  return {
    vendor: {
      ...review,
      definition: JSON.parse(definition) as unknown,
      params: jsonSchemaOf(row.request, 'request'),
      result: jsonSchemaOf(row.response, 'reply'),
    },
  };
}

function operationView(switchName: string, operation: Operation): OperationView {
  const { id, command, opcode, state, percent, returnCode, startedAtMs, endedAtMs, hops, overdue } = operation;
  return {
    id,
    switch: switchName,
    command,
    opcode,
    state,
    percent,
    startedAtMs,
    ...(returnCode === undefined ? {} : { returnCode }),
    ...(endedAtMs === undefined ? {} : { endedAtMs }),
    ...(hops === undefined ? {} : { via: formatVia(hops) }),
    ...(overdue === undefined ? {} : { overdue }),
  };
}
