import { hash } from 'node:crypto';
import { err, ok, type Result } from '../../cci/index.ts';
import type { Credential } from '../core-api.ts';
import type { Algorithm } from './algorithms.ts';
import { type Wish, wishDigest } from './command-digest.ts';
import type { Confirmation } from './confirmation.ts';
import type { Binding } from './issuer-schema.ts';
import { Nonces } from './nonces.ts';
import { type Proof, ProofVerifier, parseProof } from './proof.ts';
import type { ProofFile } from './proof-file.ts';
import { ProofMemory, proofName, type ShownProof } from './proof-memory.ts';
import { ProofSessions } from './proof-sessions.ts';
import { type AuthRefusal, quoted, refuse } from './refusal.ts';
import { comparableUrl } from './request-url.ts';

export interface PossessionOptions {
  /** Must proofs hold a nonce of the broker's? */
  readonly nonce: 'required' | 'off';
  /** Oldest proof by its `iat`. */
  readonly maxAgeMs: number;
  readonly clockToleranceMs: number;
  /** Proofs that are remembered at most. */
  readonly proofs: number;
  /** Sessions at one time. */
  readonly sessions: number;
  /** Where shown proofs are remembered over a restart; in memory only if not given. */
  readonly file?: ProofFile | undefined;
}

export const defaultPossession: PossessionOptions = {
  nonce: 'required',
  maxAgeMs: 60_000,
  clockToleranceMs: 5000,
  proofs: 100_000,
  sessions: 4096,
};

/** With what a proof may be signed. */
export const proofAlgorithms: readonly Algorithm[] = ['ES256', 'ES384', 'EdDSA', 'Ed25519', 'PS256', 'RS256'];

/** How long a proof can be shown after its `iat`. */
export function proofWindowMs({ maxAgeMs, clockToleranceMs }: PossessionOptions): number {
  return maxAgeMs + clockToleranceMs;
}

/**
 * What a caller wants with his token: one command or change, by what it says (asked only where a proof speaks of it); `view` for whatever only looks; undefined
 * where nobody said, which a token that needs a proof for each command is refused for.
 */
export type Purpose = (() => Wish) | 'view' | undefined;

/** A token that was verified, as far as it matters here. */
export interface BoundToken {
  readonly digest: string;
  readonly tenant: string;
  readonly confirmation: Confirmation;
  readonly required: Binding;
  readonly expiresAtMs: number;
}

/** Does whoever shows a token hold what it is bound to? */
export class Possession {
  readonly #options: PossessionOptions;
  readonly #memory: ProofMemory;
  readonly #nonces = new Nonces();
  readonly #verifier = new ProofVerifier();
  readonly #sessions: ProofSessions;

  constructor(options: PossessionOptions) {
    this.#options = options;
    this.#memory = new ProofMemory({ windowMs: proofWindowMs(options), capacity: options.proofs });
    this.#sessions = new ProofSessions({ capacity: options.sessions });
  }

  /** Takes up what the runs before remembered. @throws where the file cannot be used */
  async start(nowMs: number): Promise<void> {
    const { file, nonce, clockToleranceMs } = this.#options;
    if (file === undefined) return;
    const { proofs, complete } = await file.start(nowMs);
    for (const proof of proofs) {
      // No room for what was accepted before: nothing from that time is accepted at all.
      if (this.#memory.remember(proof, nowMs) === 'full') this.#memory.distrustUntil(nowMs + clockToleranceMs);
    }
    // With nonces no proof from before counts anyway. Without them one that was shown may be missing from the file.
    if (!complete && nonce === 'off') this.#memory.distrustUntil(nowMs + clockToleranceMs);
  }

  async close(): Promise<void> {
    await this.#options.file?.close();
  }

  /** Proofs that are remembered, and sessions that are open. */
  get counts(): { readonly proofs: number; readonly sessions: number } {
    return { proofs: this.#memory.size, sessions: this.#sessions.size };
  }

  /** Looks at what was shown beside the token. Never throws. */
  check(
    token: BoundToken,
    shown: Credential,
    purpose: Purpose,
    nowMs: number,
  ): Result<void, AuthRefusal> | Promise<Result<void, AuthRefusal>> {
    const { jkt, x5t } = token.confirmation;
    if (x5t !== undefined && shown.certificate !== x5t) {
      return err(refuse('certificate', shown.certificate === undefined ? 'no certificate' : 'another certificate'));
    }
    const isDpop = shown.scheme === 'dpop';
    if (jkt === undefined) {
      return isDpop ? err(refuse('not-bound', 'scheme DPoP with a token without `cnf.jkt`')) : ok(undefined);
    }
    if (!isDpop) return err(refuse('scheme', 'a token with `cnf.jkt` shown as bearer', this.#challenge(nowMs)));
    if (shown.session !== undefined) return this.#inSession(token, jkt, shown.session, purpose, nowMs);
    if (shown.proof === undefined) return err(refuse('proof-missing', 'no proof', this.#challenge(nowMs)));
    return this.#proved(token, jkt, shown.proof, purpose, nowMs);
  }

  /** A handle for a caller whose proof was just accepted; undefined where there is no room. */
  begin(token: BoundToken, nowMs: number): string | undefined {
    const { digest, confirmation, expiresAtMs } = token;
    return this.#sessions.begin(digest, confirmation.jkt ?? '', expiresAtMs, nowMs);
  }

  end(session: string): void {
    this.#sessions.end(session);
  }

  #inSession(token: BoundToken, jkt: string, session: string, purpose: Purpose, nowMs: number) {
    if (!this.#sessions.isOf(session, token.digest, jkt, nowMs)) return err(refuse('session', 'no such session'));
    if (token.required === 'dpop-command' && purpose !== 'view') {
      return err(refuse('proof-command', 'a command on a stream, which has no proof of its own'));
    }
    return ok(undefined);
  }

  async #proved(
    token: BoundToken,
    jkt: string,
    shown: NonNullable<Credential['proof']>,
    purpose: Purpose,
    nowMs: number,
  ): Promise<Result<void, AuthRefusal>> {
    const parsed = parseProof(shown.jwt, proofAlgorithms);
    const wrong = (cause: Parameters<typeof refuse>[0], detail: string) =>
      err(refuse(cause, detail, this.#challenge(nowMs)));
    if (!parsed.ok) return wrong('proof', parsed.error);
    const proof = parsed.value;
    // Before any work for the key that the sender chose.
    if (proof.thumbprint !== jkt) return wrong('proof', 'made with another key than the token is bound to');
    const good = await this.#verifier.verify(proof);
    if (!good.ok) return wrong('proof', good.error);
    if (proof.tokenDigest !== token.digest) return wrong('proof', 'made for another token');
    if (proof.method !== shown.method) return wrong('proof', `made for method ${quoted(proof.method)}`);
    if (!isForUrl(proof.url, shown.url)) return wrong('proof', `made for ${quoted(proof.url)}`);
    const { nonce, maxAgeMs, clockToleranceMs } = this.#options;
    if (nonce === 'required' && !this.#nonces.accepts(proof.nonce, nowMs)) {
      return err(refuse('proof-nonce', 'no nonce of ours, or an old one', this.#challenge(nowMs, 'use_dpop_nonce')));
    }
    const ageMs = nowMs - proof.issuedAtMs;
    if (!(ageMs <= maxAgeMs + clockToleranceMs && ageMs >= -clockToleranceMs)) {
      return wrong('proof-time', `made ${Math.round(ageMs)} ms ago`);
    }
    const flaw = commandFlaw(proof, token.required, purpose);
    if (flaw !== undefined) return wrong('proof-command', flaw);
    const holder = hash('sha256', token.tenant, 'base64url');
    return this.#remember({ name: proofName(jkt, proof.id), holder, issuedAtMs: proof.issuedAtMs }, nowMs);
  }

  /** The last step: everything about the proof is right, but was it shown before? */
  async #remember(proof: ShownProof, nowMs: number): Promise<Result<void, AuthRefusal>> {
    // Taken at once, so that of two that come together only one counts.
    const remembered = this.#memory.remember(proof, nowMs);
    if (remembered === 'replayed') return err(refuse('proof-replayed', 'shown before', this.#challenge(nowMs)));
    if (remembered === 'too-old') {
      return err(refuse('proof-time', 'made before proofs were remembered', this.#challenge(nowMs)));
    }
    const { file } = this.#options;
    if (remembered === 'full') {
      return err(refuse('proof-store', 'as many proofs as can be remembered', { retryAfterMs: AGAIN_MS }));
    }
    if (file !== undefined && !(await file.append(proof, nowMs))) {
      return err(refuse('proof-store', 'the proof could not be written down', { retryAfterMs: AGAIN_MS }));
    }
    return ok(undefined);
  }

  #challenge(nowMs: number, error: NonNullable<AuthRefusal['dpop']>['error'] = 'invalid_dpop_proof') {
    if (this.#options.nonce === 'off') return { dpop: { error } };
    return { dpop: { error, nonce: this.#nonces.current(nowMs) } };
  }
}

const AGAIN_MS = 1000;

function isForUrl(claimed: string, asked: string): boolean {
  const made = comparableUrl(claimed);
  return made !== undefined && made === comparableUrl(asked);
}

/** A digest that is there has to be right, required or not: whoever put it in meant that one command. */
function commandFlaw({ command }: Proof, required: Binding, purpose: Purpose): string | undefined {
  if (purpose === undefined || purpose === 'view') {
    if (command !== undefined) return 'made for a command, and shown for something else';
    return purpose === undefined && required === 'dpop-command' ? 'shown where no command can be proved' : undefined;
  }
  if (command === undefined) return required === 'dpop-command' ? 'made for no command' : undefined;
  return command === wishDigest(purpose()) ? undefined : 'made for another command';
}
