import { randomUUID } from 'node:crypto';
import type { CoreApi, Credential } from '../../broker/core-api.ts';
import { encodeMessage, RC, readUint } from '../../cci/index.ts';
import type { Asking, Relay } from './relay.ts';
import type { TokenSource } from './token-source.ts';

/** Whom a listener speaks for, and with what. */
export interface Binding {
  readonly switch: string;
  readonly tenant: string;
  /** `user:ISSUER#SUBJECT`; any caller of the tenant if not given. */
  readonly principal?: string;
  readonly tokens: TokenSource;
  /** Told why requests are refused, once until that changes. */
  readonly onProblem?: (text: string) => void;
}

/**
 * Requests of a listener to the core, under the one token that the listener is bound to. The core verifies it; here it is
 * only held against the tenant and caller that were configured, so that a token put into the wrong file opens nothing.
 */
export function coreRelay(core: CoreApi, binding: Binding): Relay {
  const bound = new BoundToken(core, binding);
  const underWay = new UnderWay(core);
  const credentialOf = credentialsByClient();
  return async (message, asking) => {
    for (let attempt = 0; ; attempt++) {
      const known = bound.known();
      const token = known ?? (await bound.token(credentialOf(asking, '')));
      if (token === undefined) return refused(message, RC.invalidInput);
      const result = await underWay.submit(binding.switch, credentialOf(asking, token), message, asking);
      if (result.ok) return result.value.message ?? refused(message, RC.internalError);
      // Refused before anything was sent: it may be tried with another token.
      if (result.problem.code === 'EAUTH' && attempt === 0 && (await bound.renew()) !== token) continue;
      return result.problem.message ?? refused(message, result.problem.returnCode);
    }
  };
}

/**
 * The same object for each request of a client, as long as the token is the same: who tells the core is then told apart
 * from what he asks for, and need not be said again. A token may be bound to the certificate of the client that uses it.
 */
function credentialsByClient(): (asking: Asking, token: string) => Credential {
  const made = new WeakMap<AbortSignal, Credential>();
  return ({ source, certificate, gone }, token) => {
    const there = made.get(gone);
    if (there?.token === token) return there;
    const credential = { token, source, ...(certificate === undefined ? {} : { certificate }) };
    made.set(gone, credential);
    return credential;
  };
}

/** One relay for each certificate: its holder acts as whom it stands for. */
export function relayByCertificate(relays: ReadonlyMap<string, Relay>): Relay {
  return async (message, asking) => {
    const relay = relays.get(asking.certificate ?? '');
    return relay === undefined ? refused(message, RC.invalidInput) : relay(message, asking);
  };
}

/** Names of one client's requests. One after the other, they have the same name: it is free again when one is answered. */
interface Handles {
  readonly used: string[];
  readonly free: string[];
}

/** Requests that the core has, by the client that they are of: when it goes, they are taken back. */
class UnderWay {
  private readonly core: CoreApi;
  /** Other edges of the same core must not be able to hit on one of ours. */
  private readonly prefix = randomUUID();
  private count = 0;
  private readonly handles = new WeakMap<AbortSignal, Handles>();

  constructor(core: CoreApi) {
    this.core = core;
  }

  async submit(name: string, credential: Credential, bytes: Uint8Array, { gone, deadlineMs }: Asking) {
    if (gone.aborted) throw new Error('the client has gone');
    const { used, free } = this.of(gone);
    const handle = free.pop() ?? `${this.prefix}:${this.count++}`;
    used.push(handle);
    try {
      return await this.core.submit(credential, name, { kind: 'message', bytes }, { handle, deadlineMs });
    } finally {
      used.splice(used.indexOf(handle), 1);
      free.push(handle);
    }
  }

  /** One listener for each client, not for each request. */
  private of(gone: AbortSignal): Handles {
    const there = this.handles.get(gone);
    if (there !== undefined) return there;
    const handles: Handles = { used: [], free: [] };
    this.handles.set(gone, handles);
    gone.addEventListener('abort', () => {
      for (const handle of handles.used) this.core.cancel(handle).catch(() => {});
    });
    return handles;
  }
}

function refused(message: Uint8Array, returnCode: number): Uint8Array {
  return encodeMessage({
    category: 'response',
    tag: readUint(message, 1, 1),
    opcode: readUint(message, 3, 2),
    background: false,
    returnCode,
    vendorStatus: 0,
    payload: new Uint8Array(0),
  });
}

/** The token of a listener, held against whom it has to be of each time it is another one. */
class BoundToken {
  private readonly core: CoreApi;
  private readonly binding: Binding;
  private good: string | undefined;
  private lastProblem: string | undefined;

  constructor(core: CoreApi, binding: Binding) {
    this.core = core;
    this.binding = binding;
  }

  /** The token, where it is at hand and was found good. */
  known(): string | undefined {
    const now = this.binding.tokens.current();
    return typeof now === 'string' && now === this.good && now !== '' ? now : undefined;
  }

  /** Undefined where there is none that may be used. */
  async token(client: Credential): Promise<string | undefined> {
    const now = this.binding.tokens.current();
    const token = typeof now === 'string' ? now : await now;
    if (token === this.good && token !== '') return token;
    let problem = await this.problemWith({ ...client, token });
    if (problem === undefined) return this.accept(token);
    // It may have run out this very moment, and the next one be there already.
    const renewed = await this.binding.tokens.renew();
    if (renewed !== token) problem = await this.problemWith({ ...client, token: renewed });
    if (problem === undefined) return this.accept(renewed);
    if (problem !== this.lastProblem) this.binding.onProblem?.(problem);
    this.lastProblem = problem;
    return undefined;
  }

  renew(): Promise<string> {
    this.good = undefined;
    return this.binding.tokens.renew();
  }

  private accept(token: string): string {
    this.good = token;
    this.lastProblem = undefined;
    return token;
  }

  private async problemWith(credential: Credential): Promise<string | undefined> {
    if (credential.token === '') return 'there is no token';
    const { tenant, principal } = this.binding;
    const seen = await this.core.whoami(credential);
    if (!seen.ok) return `the token is refused: ${seen.problem.detail}`;
    if (seen.value.tenant !== tenant) return `the token speaks for tenant \`${seen.value.tenant}\`, not \`${tenant}\``;
    if (principal !== undefined && seen.value.principal !== principal) {
      return `the token is of \`${seen.value.principal}\`, not of \`${principal}\``;
    }
    return undefined;
  }
}
