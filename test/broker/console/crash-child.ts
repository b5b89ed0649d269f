import { caller, opened, script, startConsoleBroker } from './console-broker.ts';

/** A broker of its own process with an open console, for tests that kill it. Prints the session's id. */
const broker = await startConsoleBroker({
  programs: {
    stubborn: script(
      "trap '' HUP TERM INT; (trap '' HUP TERM; sleep 600) & setsid sleep 601 & nohup sleep 602 >/dev/null 2>&1 & printf up; while :; do sleep 1; done",
    ),
  },
});
const desk = await opened(broker, await caller(broker, 'alice'), 'stubborn');
await desk.until('up');
process.stdout.write(`${JSON.stringify({ session: desk.opened.session.id, directory: broker.directory })}\n`);
// Keeps the seat, and the process, until it is killed.
for (;;) await desk.read(1000);
