import { randomUUID } from 'node:crypto';
import type { Principal } from '../../policy/index.ts';
import { type Static, Type } from '../../schema/index.ts';
import { fits } from '../../yaml/index.ts';
import { StateFile } from '../state-file.ts';
import { type Revocations, type Revoked, revocationKey, revocationKeys, type TokenEvidence } from './revocations.ts';

const text = Type.String({ minLength: 1, maxLength: 2048 });
const EntrySchema = Type.Object(
  {
    id: Type.String({ pattern: '^[0-9a-f]{8}-[0-9a-f-]{27}$' }),
    what: Type.Union([
      Type.Object({ kind: Type.Literal('token'), tokenId: text }, { additionalProperties: false }),
      Type.Object({ kind: Type.Literal('principal'), name: text }, { additionalProperties: false }),
      Type.Object({ kind: Type.Literal('tenant'), tenant: text }, { additionalProperties: false }),
      Type.Object({ kind: Type.Literal('key'), thumbprint: text }, { additionalProperties: false }),
    ]),
    by: text,
    atMs: Type.Number(),
    reason: text,
    expiresAtMs: Type.Optional(Type.Number()),
  },
  { additionalProperties: false },
);
const StateSchema = Type.Object({ entries: Type.Array(EntrySchema) }, { additionalProperties: false });

/** One revocation: what, by whom, when, why, and until when where it does not last for good. */
export type RevocationEntry = Readonly<Static<typeof EntrySchema>>;

export interface RevocationListOptions {
  readonly path: string;
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
  /** Entries at most. */
  readonly capacity?: number;
  readonly file?: StateFile;
}

/** The list cannot be relied on, so the broker does not start. */
export class RevocationsDamaged extends Error {
  readonly code = 'EREVOCATIONS';

  constructor(path: string, why: string) {
    super(
      `the revocations in \`${path}\` cannot be relied on: ${why}; put the file back from a copy, or remove it if you accept that ` +
        'what it revoked counts again (the journal has every revocation)',
    );
    this.name = 'RevocationsDamaged';
  }
}

const CAPACITY = 10_000;

/**
 * Revocations that outlive the process: a file with a checksum, replaced in one step, mode 0600. A change is in force
 * before it is written, so that a full disk keeps no stolen token alive.
 */
export class RevocationList implements Revocations {
  readonly #options: RevocationListOptions;
  readonly #file: StateFile;
  readonly #entries = new Map<string, RevocationEntry>();
  /** Names to the entries that are about them. */
  #index = new Map<string, RevocationEntry[]>();
  #version = 1;

  private constructor(options: RevocationListOptions) {
    this.#options = options;
    this.#file = options.file ?? new StateFile(options.path, 'switch-cci-revocations', 1);
  }

  /** @throws RevocationsDamaged for anything but a good file or none */
  static async open(options: RevocationListOptions): Promise<RevocationList> {
    const list = new RevocationList(options);
    const loaded = await list.#file.load();
    if (loaded.kind === 'damaged') throw new RevocationsDamaged(options.path, loaded.why);
    if (loaded.kind === 'missing') return list;
    if (!fits(StateSchema, loaded.state)) throw new RevocationsDamaged(options.path, 'it holds something else');
    for (const entry of loaded.state.entries) {
      // The second one would take the place of the first, and what that revoked would count again.
      if (list.#entries.has(entry.id)) throw new RevocationsDamaged(options.path, `two entries are called ${entry.id}`);
      list.#entries.set(entry.id, entry);
    }
    list.#reindex();
    return list;
  }

  get version(): number {
    return this.#version;
  }

  isRevoked(principal: Principal, evidence: TokenEvidence): boolean {
    if (this.#index.size === 0) return false;
    const nowMs = this.#options.nowMs();
    return revocationKeys(principal, evidence).some(
      (key) => this.#index.get(key)?.some(({ expiresAtMs }) => !hasEnded(expiresAtMs, nowMs)) ?? false,
    );
  }

  /** Those in force, oldest first. */
  list(): readonly RevocationEntry[] {
    const nowMs = this.#options.nowMs();
    return [...this.#entries.values()].filter(({ expiresAtMs }) => !hasEnded(expiresAtMs, nowMs));
  }

  /** Undefined where the list is full: then something broader has to be revoked, or something lifted. */
  add(what: Revoked, by: string, reason: string, expiresAtMs?: number): RevocationEntry | undefined {
    const nowMs = this.#options.nowMs();
    for (const [id, entry] of this.#entries) if (hasEnded(entry.expiresAtMs, nowMs)) this.#entries.delete(id);
    if (this.#entries.size >= (this.#options.capacity ?? CAPACITY)) return undefined;
    const until = expiresAtMs === undefined ? {} : { expiresAtMs };
    const entry: RevocationEntry = { id: randomUUID(), what, by, atMs: nowMs, reason, ...until };
    this.#entries.set(entry.id, entry);
    this.#reindex();
    return entry;
  }

  /** Takes a revocation back; undefined where there is no such one. */
  lift(id: string): RevocationEntry | undefined {
    const entry = this.#entries.get(id);
    if (entry === undefined) return undefined;
    this.#entries.delete(id);
    this.#reindex();
    return entry;
  }

  /** Durable when it resolves. @throws the error of the file system */
  save(): Promise<void> {
    return this.#file.save(() => ({ entries: [...this.#entries.values()] }));
  }

  #reindex(): void {
    this.#index = Map.groupBy(this.#entries.values(), ({ what }) => revocationKey(what));
    this.#version++;
  }
}

/** INVARIANT: a clock that says nothing sensible ends no revocation. */
function hasEnded(expiresAtMs: number | undefined, nowMs: number): boolean {
  return expiresAtMs !== undefined && nowMs >= expiresAtMs;
}
