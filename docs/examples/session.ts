// A connection that stays: commands beside each other, made again when it breaks off, with a token that a callback
// fetches anew before the last one ends. Ctrl-C ends it, and so does the first argument, in milliseconds.
//
//   CCI_URL=... CCI_TOKEN_FILE=/run/user/1000/cci.token node docs/examples/session.ts 5000
import { readFile } from 'node:fs/promises';
import { createClient, UnreachableError } from 'switch-cci-broker';

const client = createClient({
  url: process.env.CCI_URL ?? 'http://127.0.0.1:8420',
  tokenProvider: async () => (await readFile(process.env.CCI_TOKEN_FILE ?? '', 'utf8')).trim(),
});
const session = await client.session({ waitMs: 2000, onState: (state, why) => console.error(state, why) });

const stop = new AbortController();
process.once('SIGINT', () => stop.abort());
if (process.argv[2] !== undefined) setTimeout(() => stop.abort(), Number(process.argv[2])).unref();

while (!stop.signal.aborted) {
  try {
    const [identity, background] = await Promise.all([
      session.run('identify-switch-device', {}, { signal: stop.signal }),
      session.run('background-operation-status', {}, { signal: stop.signal }),
    ]);
    const busy = background.result?.status.background_operation_in_progress === true ? 'busy' : 'idle';
    console.log(`${identity.result?.number_of_physical_ports} ports, ${busy}`);
  } catch (error) {
    // The connection is made again by itself; what was under way when it broke may or may not have been carried out.
    if (!(error instanceof UnreachableError)) throw error;
    console.error(error.message);
  }
  await new Promise((resolve) => setTimeout(resolve, 100));
}
await session.close();
