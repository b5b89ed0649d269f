import { randomUUID } from 'node:crypto';
import type { Result } from '../cci/index.ts';
import { errnoTable } from '../policy/index.ts';
import type { Purpose, Wish } from './auth/index.ts';
import {
  type Call,
  type ConsoleService,
  closeConsole,
  consoleRefusals,
  consoleUnavailable,
  killConsole,
  leaveConsole,
  readConsole,
  resizeConsole,
  watchConsole,
  writeConsole,
} from './console/index.ts';
import type { ConsoleApi, ConsoleListing } from './console-api.ts';
import type { CoreResult, Credential } from './core-api.ts';
import {
  authenticate,
  problemOf,
  type Refusal,
  type Request,
  type Services,
  seenSwitch,
  validity,
} from './pipeline/index.ts';

/** Where no console is configured: the same for everybody who may know of the switch. */
const NOT_CONFIGURED = 'no program is configured';

/** The part of the core's door that is about consoles. Every call brings its token, and every token is looked at. */
export class ConsoleDoor implements ConsoleApi {
  readonly #services: Services;
  readonly #consoles: ConsoleService | undefined;

  constructor(services: Services, consoles: ConsoleService | undefined) {
    this.#services = services;
    this.#consoles = consoles;
  }

  readonly consoles: ConsoleApi['consoles'] = (credential, name) =>
    this.#called(credential, name, 'view', async (service, call) => ({ ok: true, value: service.list(call) }), nothing);

  readonly consoleRequest: ConsoleApi['consoleRequest'] = (credential, name, asking) =>
    this.#called(
      credential,
      name,
      wish('request', name, {
        program: asking.program,
        reason: asking.reason,
        durationMs: asking.durationMs,
      }),
      (service, call) => service.request(call, asking),
    );

  readonly consoleRequested: ConsoleApi['consoleRequested'] = (credential, name, id, waitMs) =>
    this.#called(credential, name, 'view', (service, call) => service.requested(call, id, waitMs));

  readonly consoleApprove: ConsoleApi['consoleApprove'] = (credential, name, id, digest) =>
    this.#called(credential, name, wish('approve', name, { request: id, digest }), (service, call) =>
      service.approve(call, id, digest),
    );

  readonly consoleDeny: ConsoleApi['consoleDeny'] = (credential, name, id, reason) =>
    this.#called(credential, name, wish('deny', name, { request: id, reason }), (service, call) =>
      service.deny(call, id, reason),
    );

  readonly consoleOpen: ConsoleApi['consoleOpen'] = (credential, name, id, columns, rows) =>
    this.#called(credential, name, wish('open', name, { request: id }), (service, call) =>
      service.open(call, id, columns, rows),
    );

  readonly consoleWatch: ConsoleApi['consoleWatch'] = (credential, name, session) =>
    this.#called(credential, name, 'view', (service, call) => watchConsole(service, call, session));

  readonly consoleRead: ConsoleApi['consoleRead'] = (credential, name, query) =>
    this.#called(credential, name, 'view', (service, call) => readConsole(service, call, query));

  // What is typed is no command that a proof could speak of: a token that needs one for each is refused.
  readonly consoleWrite: ConsoleApi['consoleWrite'] = (credential, name, input) =>
    this.#called(credential, name, undefined, (service, call) => writeConsole(service, call, input));

  readonly consoleResize: ConsoleApi['consoleResize'] = (credential, name, seat, columns, rows) =>
    this.#called(credential, name, undefined, (service, call) => resizeConsole(service, call, seat, columns, rows));

  readonly consoleLeave: ConsoleApi['consoleLeave'] = (credential, name, seat) =>
    this.#called(credential, name, 'view', (service, call) => leaveConsole(service, call, seat));

  readonly consoleClose: ConsoleApi['consoleClose'] = (credential, name, seat) =>
    this.#called(credential, name, undefined, (service, call) => closeConsole(service, call, seat));

  readonly consoleKill: ConsoleApi['consoleKill'] = (credential, name, session, reason) =>
    this.#called(credential, name, wish('kill', name, { session, reason }), (service, call) =>
      killConsole(service, call, session, reason),
    );

  /** Authenticates, looks for the switch, and turns refusals into problems. A defect refuses. */
  async #called<T>(
    credential: Credential,
    switchName: string,
    purpose: Purpose,
    answer: (service: ConsoleService, call: Call) => Promise<Result<T, Refusal>>,
    without?: T,
  ): Promise<CoreResult<T>> {
    const services = this.#services;
    const request: Request = { id: randomUUID(), source: credential.source, startedMs: services.nowMs() };
    const refused = (refusal: Refusal) => ({ ok: false, problem: problemOf(request, refusal) }) as const;
    try {
      const { version } = services.revocations;
      const principal = await authenticate(services, credential, request, purpose);
      if (!principal.ok) return refused(principal.error);
      const runtime = seenSwitch(services, principal.value, switchName);
      if (runtime === undefined) return refused(consoleRefusals.notThere);
      if (this.#consoles === undefined) {
        return without === undefined ? refused(consoleUnavailable(NOT_CONFIGURED)) : { ok: true, value: without };
      }
      const party = {
        principal: principal.value,
        stillValid: validity(services, credential, principal.value, version),
      };
      const result = await answer(this.#consoles, { party, request, runtime });
      return result.ok ? result : refused(result.error);
    } catch (error) {
      services.log.error({ requestId: request.id, err: error }, 'refused because the broker itself failed');
      return refused(defect);
    }
  }
}

const nothing: ConsoleListing = { unavailable: NOT_CONFIGURED, programs: [], requests: [], sessions: [] };

const defect: Refusal = {
  code: 'EINTERNAL',
  detail: 'refused: something inside the broker failed',
  returnCode: errnoTable.EIO.returnCode,
};

/** What a proof of possession speaks of. */
function wish(what: string, switchName: string, body: { readonly [name: string]: unknown }): () => Wish {
  return () => [`console/${what}`, switchName, body];
}
