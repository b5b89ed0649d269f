import { type Static, Type } from '../schema/index.ts';
import { fits } from '../yaml/index.ts';
import type { Loaded } from './state-file.ts';
import { changeKey, explains, type FabricChange } from './topology-changes.ts';
import { type Difference, differencesOf, type Picture, pictureId, type VcsPicture } from './topology-picture.ts';

/** A port that a command moves is at rest again after that long: link training, a reset, firmware that starts. */
const PORT_AT_REST_MS = 60_000;
/** A bind or unbind that was never seen under way and did not happen within that time does not happen any more. */
const VPPB_AT_REST_MS = 3_600_000;
/** Differences kept for whoever accepts; further ones are counted. */
const KEPT = 256;

/** A difference that nobody has accepted yet. */
export interface Moved extends Difference {
  /** Milliseconds since 1970. */
  readonly atMs: number;
}

interface Open {
  readonly change: FabricChange;
  readonly untilMs: number;
  /** Commands that expect it and have not been seen to do it, in the order in which they asked. */
  readonly by: Set<Expecting>;
}

/** One command. Several that wait may expect the same, and what becomes of one says nothing about the others. */
interface Expecting {
  sent: boolean;
}

export interface FabricWatchOptions {
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
  /** Milliseconds that no setting of the clock moves: how long a change may take. `nowMs` if not given. */
  readonly elapsedMs?: () => number;
  /** Writes the state down, durably when it resolves. */
  readonly save: () => Promise<void>;
  /** Called with every difference that no command of ours explains, before anything is decided on the new picture. */
  readonly onMoved: (differences: readonly Moved[], before: string, after: string) => void;
  /** The state could not be written; it is tried again with the next change. */
  readonly onUnwritten: (error: unknown) => void;
}

/**
 * Holds every picture of a fabric against the one before it. What commands of the broker's own do is expected; anything
 * else has moved without us (taint X) and is kept until an operator accepts it.
 */
export class FabricWatch {
  private readonly options: FabricWatchOptions;
  private readonly open = new Map<string, Open>();
  private baseline: Picture | undefined;
  private moved: readonly Moved[] = [];
  private lost = 0;
  private clockNs: bigint | undefined;

  constructor(options: FabricWatchOptions) {
    this.options = options;
  }

  /** The last picture, which the next one is held against; undefined before the first. */
  get picture(): Picture | undefined {
    return this.baseline;
  }

  /** What moved without us and nobody has accepted, oldest first. */
  get differences(): readonly Moved[] {
    return this.moved;
  }

  /** Differences beyond those that are kept. */
  get lostDifferences(): number {
    return this.lost;
  }

  /**
   * Says before a command is sent what it may do. Resolves when that is on disk, so that a broker that is killed knows
   * at its next start why the picture is another one.
   * @returns what to call when the command is over: it was not sent after all, or it was (`true`)
   * @throws the error of the file system: then nothing may be sent, and nothing is expected
   */
  async expect(changes: readonly FabricChange[]): Promise<(sent?: boolean) => void> {
    const one: Expecting = { sent: false };
    const isNews = changes.some((change) => !this.open.has(changeKey(change)));
    const mine = changes.map((change) => this.expected(change, this.open.get(changeKey(change))?.by ?? new Set(), one));
    const end = (sent = false): void => {
      one.sent = sent;
      for (const { change, by } of mine) {
        if (!sent) this.drop(changeKey(change), by, one);
        // Whatever it moves began when it was sent, however long it had waited for that.
        else if (by.has(one) && this.open.get(changeKey(change))?.by === by) this.expected(change, by, one);
      }
    };
    try {
      if (isNews) await this.options.save();
    } catch (error) {
      end();
      throw error;
    }
    return end;
  }

  private expected(change: FabricChange, by: Set<Expecting>, one: Expecting): Open {
    const open: Open = { change, untilMs: this.until(change), by: by.add(one) };
    this.open.set(changeKey(change), open);
    return open;
  }

  /** Nobody expects it any more when the last one is gone. */
  private drop(key: string, by: Set<Expecting>, one: Expecting | undefined): void {
    if (one !== undefined) by.delete(one);
    if (by.size === 0 && this.open.get(key)?.by === by) this.open.delete(key);
  }

  /** Holds a new picture against the last one. VCSs that could not be read stay as they were. */
  see(read: Picture, unread: ReadonlySet<number>): void {
    const before = this.baseline;
    const after = before === undefined ? read : completed(before, read, unread);
    this.baseline = after;
    if (before === undefined) {
      this.keep();
      return;
    }
    const differences = differencesOf(before, after);
    if (differences.length === 0) {
      this.closeExpired(after);
      return;
    }
    const now = this.options.nowMs();
    this.closeExpired(before);
    const changes = [...this.open.values()].map(({ change }) => change);
    const unexplained = differences
      .filter((difference) => !changes.some((change) => explains(change, difference)))
      .map((difference) => ({ ...difference, atMs: now }));
    this.closeDone(after, differences);
    if (unexplained.length > 0) this.report(unexplained, pictureId(before), pictureId(after));
    this.keep();
  }

  private report(moved: readonly Moved[], before: string, after: string): void {
    const all = [...this.moved, ...moved];
    this.lost += Math.max(0, all.length - KEPT);
    this.moved = all.slice(0, KEPT);
    this.options.onMoved(moved, before, after);
  }

  /**
   * The clock of the switch, nanoseconds; one that goes back was without power. What the switch kept through that looks
   * the same, what it lost nobody can list.
   */
  seeClock(nowNs: bigint): void {
    const before = this.clockNs;
    this.clockNs = nowNs;
    if (before === undefined || nowNs >= before) return;
    const was: Difference = { kind: 'shape', before: 'powered on', after: 'powered on anew' };
    if ([...this.open.values()].some(({ change }) => explains(change, was))) return;
    const name = this.baseline === undefined ? '' : pictureId(this.baseline);
    this.report([{ ...was, atMs: this.options.nowMs() }], name, name);
    this.keep();
  }

  /** An operator takes the picture as it is. Resolves when that is on disk. @throws the error of the file system */
  accept(): Promise<void> {
    this.moved = [];
    this.lost = 0;
    return this.options.save();
  }

  /** Plain data for the state file. */
  state(session: string): WatchState {
    return {
      session,
      picture: this.baseline ?? null,
      open: [...this.open.values()].map(({ change }) => change),
      moved: this.moved,
      lost: this.lost,
      ...(this.clockNs === undefined ? {} : { clockNs: this.clockNs.toString() }),
    } as WatchState;
  }

  /** Goes on from what an earlier broker wrote down. Its open changes may have ended meanwhile. */
  restore(state: WatchState): void {
    this.baseline = (state.picture ?? undefined) as Picture | undefined;
    this.moved = state.moved as readonly Moved[];
    this.lost = state.lost;
    this.clockNs = state.clockNs === undefined ? undefined : BigInt(state.clockNs);
    for (const change of state.open as readonly FabricChange[]) {
      this.expected(change, new Set(), { sent: true });
    }
  }

  private until(change: FabricChange): number {
    return this.elapsedMs() + (change.kind === 'vppb' ? VPPB_AT_REST_MS : PORT_AT_REST_MS);
  }

  private elapsedMs(): number {
    return (this.options.elapsedMs ?? this.options.nowMs)();
  }

  /** What is still under way has not expired, however long it takes. */
  private closeExpired(picture: Picture): void {
    const now = this.elapsedMs();
    for (const [key, { change, untilMs }] of this.open) {
      if (now <= untilMs || (change.kind === 'vppb' && isUnderWay(picture, change.vcs, change.vppb))) continue;
      this.open.delete(key);
    }
  }

  /**
   * A bind that is there, or an unbind, explains nothing that comes after it: whoever did it is done. Those who wait still
   * expect theirs, because what was done may be undone before they are sent.
   */
  private closeDone(picture: Picture, differences: readonly Difference[]): void {
    for (const [key, { change, by }] of this.open) {
      if (change.kind !== 'vppb') continue;
      const now = bindingIn(picture, change.vcs, change.vppb);
      if (now === undefined || JSON.stringify(now) !== JSON.stringify(change.to)) continue;
      const isJustDone = differences.some(
        ({ kind, vcs, vppb }) => kind === 'vppb' && vcs === change.vcs && vppb === change.vppb,
      );
      const [first] = by;
      if (isJustDone) this.drop(key, by, first);
      else for (const one of [...by].filter(({ sent }) => sent)) this.drop(key, by, one);
    }
  }

  private keep(): void {
    this.options.save().catch(this.options.onUnwritten);
  }
}

function bindingIn(picture: Picture, vcs: number, vppb: number): VcsPicture['vppbs'][number] | undefined {
  return picture.vcss.find(({ id }) => id === vcs)?.vppbs[vppb];
}

function isUnderWay(picture: Picture, vcs: number, vppb: number): boolean {
  return bindingIn(picture, vcs, vppb)?.kind === 'unknown';
}

/** The new picture, and what it could not tell as it was before. */
function completed(before: Picture, read: Picture, unread: ReadonlySet<number>): Picture {
  const kept = before.vcss.filter(({ id }) => unread.has(id) && !read.vcss.some((vcs) => vcs.id === id));
  return {
    serial: read.serial === '' ? before.serial : read.serial,
    ports: read.ports.map((port) => {
      const was = before.ports.find(({ id }) => id === port.id)?.serial;
      return port.serial === undefined && was !== undefined ? { ...port, serial: was } : port;
    }),
    vcss: [...read.vcss, ...kept].sort((a, b) => a.id - b.id),
  };
}

const closed = { additionalProperties: false } as const;
const id = Type.Integer({ minimum: 0, maximum: 0xffff });
const binding = Type.Object(
  { kind: Type.Enum(['unbound', 'port', 'ld', 'unknown']), port: Type.Optional(id), ld: Type.Optional(id) },
  closed,
);
const picture = Type.Object(
  {
    serial: Type.String(),
    ports: Type.Array(
      Type.Object(
        {
          id,
          role: Type.Enum(['usp', 'dsp', 'disabled', 'fabric', 'unknown']),
          device: Type.Enum(['none', 'sld', 'mld', 'other', 'unknown']),
          lds: id,
          serial: Type.Optional(Type.String()),
        },
        closed,
      ),
    ),
    vcss: Type.Array(Type.Object({ id, usp: id, vppbs: Type.Array(binding) }, closed)),
  },
  closed,
);
const watchState = Type.Object(
  {
    session: Type.String(),
    picture: Type.Union([picture, Type.Null()]),
    open: Type.Array(
      Type.Union([
        Type.Object({ kind: Type.Literal('vppb'), vcs: id, vppb: id, from: binding, to: binding }, closed),
        Type.Object({ kind: Type.Literal('port'), port: id }, closed),
        Type.Object({ kind: Type.Literal('anything') }, closed),
      ]),
    ),
    moved: Type.Array(
      Type.Object(
        {
          kind: Type.Enum(['port', 'identity', 'vppb', 'shape']),
          port: Type.Optional(id),
          vcs: Type.Optional(id),
          vppb: Type.Optional(id),
          before: Type.String(),
          after: Type.String(),
          from: Type.Optional(binding),
          to: Type.Optional(binding),
          atMs: Type.Number(),
        },
        closed,
      ),
    ),
    lost: Type.Integer({ minimum: 0 }),
    clockNs: Type.Optional(Type.String({ pattern: '^[0-9]{1,20}$' })),
  },
  closed,
);
/** What a broker writes down about the fabric for the next one. */
export type WatchState = Static<typeof watchState>;

/** The state in a file, where it is one. */
export function watchStateOf(loaded: Loaded): WatchState | undefined {
  return loaded.kind === 'state' && fits(watchState, loaded.state) ? loaded.state : undefined;
}
