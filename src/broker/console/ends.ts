import type { ConsoleEndReason } from '../console-api.ts';

/** Why a session ended, one sentence each. */
export const endTexts: { readonly [R in ConsoleEndReason]: string } = {
  exited: 'the program has ended',
  closed: 'it was closed',
  killed: 'somebody who may watch it has ended it',
  'time-limit': 'its time was over',
  'idle-limit': 'nothing happened for too long',
  'output-limit': 'the program wrote more than it may',
  'not-resumed': 'the connection did not come back in time',
  'no-watcher': 'nobody who has to look on came back in time',
  'token-ended': 'the token is not valid any more',
  'not-permitted': 'it is not permitted any more',
  'not-recorded': 'it could not be recorded any more',
  'broker-stopped': 'the broker is stopping',
  failed: 'the terminal failed',
};
