import { parentPort } from 'node:worker_threads';
import type { ToReference } from './crosscheck-messages.ts';
import { CrosscheckReference } from './crosscheck-reference.ts';

// A thread of its own: the reference looks at every row for each question, 16 ms at 110,000 rules, and no request may wait
// for that.

const reference = new CrosscheckReference();
let working: Promise<unknown> = Promise.resolve();

parentPort?.on('message', (message: ToReference) => {
  // One after the other: a sample may come while the rules before it are still being built.
  working = working.then(async () => {
    const answer = await reference.take(message);
    if (answer !== undefined) parentPort?.postMessage(answer);
  });
});
