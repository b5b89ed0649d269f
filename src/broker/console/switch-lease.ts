import type { Hold } from '../device.ts';
import type { SwitchRuntime } from '../pipeline/index.ts';
import { differencesOf, type Picture, pictureId, subjectOf } from '../topology-picture.ts';

/** What is different after a session. */
export interface LeaseChanges {
  readonly before?: string;
  readonly after?: string;
  /** False where the switch could not be read afterwards: then nothing on it is known until it is. */
  readonly read: boolean;
  readonly differences: readonly { readonly what: string; readonly before: string; readonly after: string }[];
}

export interface Lease {
  /**
   * Reads the fabric, before anybody else has a turn, and gives the switch back. What has changed was done by the session:
   * nobody else could. Never rejects.
   */
  giveBack(): Promise<LeaseChanges>;
}

/**
 * Takes a switch for one session: what others sent comes to its end, what they send from now on waits or is refused, and
 * the broker itself leaves the switch alone as well: the program on the console uses the same mailbox.
 * @throws Error where it is taken already, does not come to rest, or that it was taken cannot be written down
 */
export async function leaseSwitch(runtime: SwitchRuntime, others: 'wait' | 'refuse'): Promise<Lease> {
  const hold = await runtime.device.hold(others);
  const watch = runtime.topology.watcher;
  try {
    // On the disk before the program runs: a broker that is killed meanwhile knows at its next start why things moved.
    const explained = await watch?.expect([{ kind: 'anything' }]);
    const before = watch?.picture;
    return { giveBack: () => giveBack(runtime, hold, before, explained) };
  } catch (error) {
    hold.release();
    throw error;
  }
}

async function giveBack(
  runtime: SwitchRuntime,
  hold: Hold,
  before: Picture | undefined,
  explained: ((sent?: boolean) => void) | undefined,
): Promise<LeaseChanges> {
  const { topology, events } = runtime;
  // Firmware or whole devices may be others now: what they told before is not believed.
  topology.lose();
  const read = await topology.read(hold.send).then(
    ({ ok }) => ok,
    () => false,
  );
  const after = topology.watcher?.picture;
  // Read at once, it explains nothing that comes later; not read, it explains what the next reading finds.
  explained?.(!read);
  hold.release();
  events.wake();
  topology.refresh().catch(() => topology.forget());
  return {
    ...(before === undefined ? {} : { before: pictureId(before) }),
    ...(after === undefined ? {} : { after: pictureId(after) }),
    read,
    differences:
      before === undefined || after === undefined
        ? []
        : differencesOf(before, after).map((one) => ({ what: subjectOf(one), before: one.before, after: one.after })),
  };
}
