import { closeSync, openSync } from 'node:fs';
import { fakeWorker } from './fake-worker.ts';

/** Opens a worker when no descriptor is left: the broker has to live, and to be able to try again. */
const backend = fakeWorker();
const held: number[] = [];
try {
  for (;;) held.push(openSync('/dev/null', 'r'));
} catch {
  // Now none is left.
}
const error = await backend.open().then(
  () => undefined,
  (cause: unknown) => cause as { readonly code: string; readonly outcome: string },
);
for (const fd of held) closeSync(fd);
await backend.open();
await backend.close();
process.stdout.write(`${error?.code} ${error?.outcome}, then it opened\n`);
