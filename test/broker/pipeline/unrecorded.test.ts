import { expect, it } from 'vitest';
import { leaveGap } from '../../../src/broker/pipeline/unrecorded.ts';
import { Handmade } from '../../support/handmade-switch.ts';

const error = new Error('full');

it('an outcome that is not in the journal taints the switch A, in the name of whoever sent the command', async () => {
  const made = new Handmade();
  const principal = made.principal('acme');
  await leaveGap(made.services, made.request(), { runtime: made.runtime, principal }, error);
  expect(made.done).toEqual([
    ['log error', { requestId: 'r-1', err: error }, 'an outcome could not be recorded'],
    [
      'taint',
      'A',
      { by: principal.name, record: 'r-1', scope: '/switches/sw0', reason: 'an outcome could not be recorded' },
    ],
  ]);
});

it('a ledger that fails as well is in the log, and nobody has to catch it', async () => {
  const made = new Handmade();
  made.taintFails = new Error('read-only');
  await leaveGap(made.services, made.request(), { runtime: made.runtime, principal: made.principal('acme') }, error);
  expect(made.done.at(-1)).toEqual(['log error', { err: made.taintFails }, 'nor could the taint']);
});
