import { hash, randomUUID } from 'node:crypto';
import type { Principal } from '../../policy/index.ts';
import type { ConsoleProgramSettings } from '../config/index.ts';
import type { ConsoleRequestView } from '../console-api.ts';

/** Requests of one person, and of all together, that may be waiting. */
const PER_PERSON = 4;
const ALL_MAX = 64;
/** How long the end of a request is still told. */
const TOLD_MS = 600_000;

/** A person and the token that he has shown. */
export interface Party {
  readonly principal: Principal;
  /** Is the token as good as it was? */
  readonly stillValid: () => Promise<boolean>;
}

/** One request to open a console. */
export interface ConsoleRequest {
  readonly id: string;
  readonly switch: string;
  readonly program: ConsoleProgramSettings;
  readonly reason: string;
  readonly durationMs: number;
  readonly by: Party;
  readonly digest: string;
  readonly expiresAtMs: number;
  state: ConsoleRequestView['state'];
  /** Who confirmed or denied it. */
  decided: Party | undefined;
}

/** Requests that wait, and for a while those that came to an end. In memory alone: a restart forgets them, and nothing opens. */
export class ConsoleRequests {
  readonly #nowMs: () => number;
  readonly #onExpired: (request: ConsoleRequest) => void;
  readonly #requests = new Map<string, ConsoleRequest>();
  readonly #waiting = new Map<string, Set<() => void>>();

  constructor(nowMs: () => number, onExpired: (request: ConsoleRequest) => void) {
    this.#nowMs = nowMs;
    this.#onExpired = onExpired;
  }

  /** @returns undefined where there are too many */
  add(
    parts: Pick<ConsoleRequest, 'switch' | 'program' | 'reason' | 'durationMs' | 'by'>,
    approval: boolean,
    waitMs: number,
  ) {
    this.tick();
    const open = [...this.#requests.values()].filter(isOpen);
    const own = open.filter(({ by }) => by.principal.name === parts.by.principal.name);
    if (open.length >= ALL_MAX || own.length >= PER_PERSON) return undefined;
    const id = randomUUID();
    const request: ConsoleRequest = {
      ...parts,
      id,
      digest: digestOf(id, parts),
      expiresAtMs: this.#nowMs() + waitMs,
      state: approval ? 'waiting' : 'ready',
      decided: undefined,
    };
    this.#requests.set(id, request);
    return request;
  }

  get(id: string): ConsoleRequest | undefined {
    this.tick();
    return this.#requests.get(id);
  }

  all(): readonly ConsoleRequest[] {
    this.tick();
    return [...this.#requests.values()];
  }

  /** Changes a state and wakes whoever waits for that. */
  settle(request: ConsoleRequest, state: ConsoleRequest['state'], decided?: Party): void {
    request.state = state;
    if (decided !== undefined) request.decided = decided;
    this.#wake(request.id);
  }

  /** Resolves when the state has changed, the time is over, or the request is. */
  async changed(request: ConsoleRequest, waitMs: number): Promise<void> {
    const ms = Math.min(waitMs, request.expiresAtMs - this.#nowMs() + 1);
    if (ms <= 0) return;
    const waiting = this.#waiting.get(request.id) ?? new Set();
    this.#waiting.set(request.id, waiting);
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        waiting.delete(done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      timer.unref();
      waiting.add(done);
    });
    this.tick();
  }

  /** Nobody waits any more. */
  close(): void {
    for (const id of this.#waiting.keys()) this.#wake(id);
  }

  tick(): void {
    const now = this.#nowMs();
    for (const request of this.#requests.values()) {
      if (isOpen(request) && request.expiresAtMs <= now) {
        this.settle(request, 'expired');
        this.#onExpired(request);
      }
      if (!isOpen(request) && request.expiresAtMs + TOLD_MS <= now) this.#requests.delete(request.id);
    }
  }

  #wake(id: string): void {
    for (const done of [...(this.#waiting.get(id) ?? [])]) done();
    this.#waiting.delete(id);
  }
}

export function isOpen({ state }: Pick<ConsoleRequest, 'state'>): boolean {
  return state === 'waiting' || state === 'ready';
}

export function requestView(request: ConsoleRequest): ConsoleRequestView {
  const { principal } = request.by;
  return {
    id: request.id,
    switch: request.switch,
    program: request.program.name,
    reason: request.reason,
    durationMs: request.durationMs,
    principal: principal.name,
    tenant: principal.tenant,
    state: request.state,
    digest: request.digest,
    expiresAtMs: request.expiresAtMs,
    ...(request.decided === undefined ? {} : { decidedBy: request.decided.principal.name }),
  };
}

/** Everything that a second person confirms: this request and no other, this program as it is configured now. */
function digestOf(
  id: string,
  {
    switch: name,
    program,
    reason,
    durationMs,
    by,
  }: Pick<ConsoleRequest, 'switch' | 'program' | 'reason' | 'durationMs' | 'by'>,
): string {
  const { principal } = by;
  return hash(
    'sha256',
    JSON.stringify(['console', 1, id, name, program, reason, durationMs, principal.name, principal.tenant]),
  );
}
