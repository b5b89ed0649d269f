import { createEmulatorBackend } from '../../src/backend/emulator/index.ts';
import { hostBackend } from '../../src/backend/worker/host.ts';

/** A device worker that holds an emulated switch: the measured process of bench/worker.ts. */
hostBackend({
  emulator: async (options) => createEmulatorBackend(options as Parameters<typeof createEmulatorBackend>[0]),
});
