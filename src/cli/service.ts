import type { Io } from './io.ts';

/** Whoever started the broker and waits to hear of it, or nobody. */
export interface Service {
  ready(status: string): void;
  reloading(): void;
  stopping(): void;
  close(): void;
}

const nobody: Service = { ready: () => {}, reloading: () => {}, stopping: () => {}, close: () => {} };

/** Finds the service manager that waits, and from then on tells it that the broker lives, as often as it wants to hear that. */
export async function openService(io: Io): Promise<Service> {
  // Nothing is loaded where nobody waits: most brokers are started by hand.
  if ((io.env.NOTIFY_SOCKET ?? '') === '') return nobody;
  const { findServiceManager } = await import('../service/index.ts');
  const found = await findServiceManager(process.env);
  if (found.kind === 'none') return nobody;
  if (found.kind === 'unreachable') {
    io.err(`the service manager cannot be told that the broker serves, and may end it: ${found.why}\n`);
    return nobody;
  }
  const { manager } = found;
  // A loop that stands still tells nothing, and that is what the manager watches for.
  const beat =
    manager.watchdogMs === undefined ? undefined : setInterval(() => manager.alive(), manager.watchdogMs).unref();
  return {
    ready: (status) => manager.ready(status),
    reloading: () => manager.reloading(),
    stopping: () => manager.stopping(),
    close: () => {
      clearInterval(beat);
      manager.close();
    },
  };
}
