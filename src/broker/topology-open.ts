import { join } from 'node:path';
import type { Logger } from 'pino';
import type { PostureRegister } from '../taint/index.ts';
import type { Journal } from './journal/index.ts';
import { StateFile } from './state-file.ts';
import { type Difference, subjectOf } from './topology-picture.ts';
import { FabricWatch, type Moved, watchStateOf } from './topology-watch.ts';

export interface WatchParts {
  /** Name of the switch. */
  readonly name: string;
  readonly stateDirectory: string;
  readonly journal: Journal;
  readonly log: Logger;
}

/** What the journal keeps of a fabric that moved. */
interface MovedDetails {
  readonly [name: string]: string | readonly { readonly [name: string]: string }[];
  readonly before: string;
  readonly after: string;
  readonly differences: readonly { readonly what: string; readonly before: string; readonly after: string }[];
}

/** The watch over one switch's fabric, with what it writes down and what it raises. */
export class WatchedFabric {
  readonly watch: FabricWatch;
  private readonly parts: WatchParts;
  private readonly file: StateFile;
  private isRecording = false;
  private readonly unrecorded: MovedDetails[] = [];
  private session = '';
  private posture: PostureRegister | undefined;
  /** What moved before there was a register to raise it in. */
  private early: { readonly scope: string; readonly reason: string }[] = [];

  constructor(parts: WatchParts) {
    this.parts = parts;
    this.file = new StateFile(join(parts.stateDirectory, `topology-${parts.name}.json`), 'cci topology', 1);
    this.watch = new FabricWatch({
      nowMs: Date.now,
      elapsedMs: () => performance.now(),
      save: () => this.file.save(() => this.watch.state(this.session)),
      onMoved: (moved, before, after) => this.onMoved(moved, before, after),
      onUnwritten: (error) =>
        parts.log.error({ switch: parts.name, err: error }, 'the fabric could not be written down'),
    });
  }

  /**
   * Goes on from what the last broker wrote down: the first picture is held against that.
   *
   * @param session `BackendIdentity.session`
   */
  async restore(session: string | undefined): Promise<void> {
    const { name, journal, log } = this.parts;
    this.session = session ?? '';
    const loaded = await this.file.load();
    const state = watchStateOf(loaded);
    if (state !== undefined) {
      // A device that begins anew with its broker has moved by our own hand.
      if (state.session === this.session) this.watch.restore(state);
      else log.info({ switch: name }, 'the switch began anew with this broker: its fabric is taken as it is');
      return;
    }
    if (loaded.kind === 'missing' && !journal.report.switches.has(name)) return;
    const why = loaded.kind === 'damaged' ? `is damaged (${loaded.why})` : 'is missing';
    this.raise(`/switches/${name}`, `what was known of the fabric ${why}: nobody can say what moved`);
  }

  /** From now on, what moves without us is raised here; what did already is raised now, durably when it resolves. */
  async attach(posture: PostureRegister): Promise<void> {
    this.posture = posture;
    const { early } = this;
    this.early = [];
    for (const { scope, reason } of early) {
      await posture.taint('X', { by: 'broker', record: 'topology', scope, reason });
    }
    // What the next broker is going to compare with has to be there before anything is changed.
    await this.file.save(() => this.watch.state(this.session));
  }

  /** The start of this run is on record: from now on, what happens to the fabric is as well. */
  recordFromNowOn(): void {
    this.isRecording = true;
    for (const details of this.unrecorded.splice(0)) this.record(details);
  }

  /**
   * On record before the clock of the switch is set: without one, a loss of power cannot be noticed.
   * @throws where it cannot be recorded, or not yet
   */
  async beforeClockSet(): Promise<void> {
    const { name, journal } = this.parts;
    if (!this.isRecording) throw new Error('the start of the broker comes first');
    await journal.append('topology', { switch: name, change: 'clock-set', by: 'broker' }, { durable: true });
  }

  private onMoved(moved: readonly Moved[], before: string, after: string): void {
    const { name, log } = this.parts;
    for (const difference of moved) this.raise(scopeOf(name, difference), reasonOf(difference));
    const details: MovedDetails = {
      before,
      after,
      differences: moved.map((difference) => ({
        what: subjectOf(difference),
        before: difference.before,
        after: difference.after,
      })),
    };
    log.warn({ switch: name, ...details }, 'the fabric moved without the broker');
    if (this.isRecording) this.record(details);
    else this.unrecorded.push(details);
  }

  private record(details: MovedDetails): void {
    const { name, journal, log } = this.parts;
    journal
      .append('topology', { switch: name, change: 'moved', by: 'broker', details }, { durable: true })
      .catch((error: unknown) => log.error({ err: error }, 'that the fabric moved could not be recorded'));
  }

  /** In force when this returns, whatever becomes of the disk. */
  private raise(scope: string, reason: string): void {
    if (this.posture === undefined) {
      this.early.push({ scope, reason });
      return;
    }
    this.posture
      .taint('X', { by: 'broker', record: 'topology', scope, reason })
      .catch((error: unknown) => this.parts.log.error({ err: error }, 'taint X could not be written down'));
  }
}

/** Where bindings moved, who is behind what cannot be told any more: the whole switch. Else the port alone. */
function scopeOf(name: string, { kind, port }: Difference): string {
  const isOfPort = port !== undefined && (kind === 'port' || kind === 'identity');
  return isOfPort ? `/switches/${name}/ports/${port}` : `/switches/${name}`;
}

function reasonOf(difference: Difference): string {
  return `${subjectOf(difference)} moved without us: was ${difference.before}, is ${difference.after}`;
}
