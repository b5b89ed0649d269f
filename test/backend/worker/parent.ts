import { ask, fakeWorker } from './fake-worker.ts';

/** A broker of sorts: opens a worker, tells its process id, gives it one command, and lives until it is killed. */
const code = Number(process.argv[2]);
const backend = fakeWorker({}, { graceMs: 60_000 });
await backend.open();
if (code !== 0) ask(backend, code, new Uint8Array(0), 60_000).catch(() => undefined);
process.stdout.write(`${backend.workerPid}\n`);
setInterval(() => undefined, 1000);
