import { RC, toHex } from '../../../cci/index.ts';
import { type Command, command, done, finished, refused } from '../command.ts';
import { erase, mediaOf } from '../media.ts';
import type { SecurityState } from '../media-state.ts';

const INVALID_STATE = 0x0013;
const WRONG_PASSPHRASE = 0x0014;
/** Wrong passphrases until the next cold reset. */
const ATTEMPTS = 5;

type Which = 'user' | 'master';

/** Command set 45h: Persistent Memory Data-at-rest Security. */
export const set45: readonly Command[] = [
  command('get-security-state', ({ machine, target }) => {
    const { security } = mediaOf(machine, target);
    return done({
      security_state: {
        user_passphrase_set: security.user !== null,
        master_passphrase_set: security.master !== null,
        locked: security.locked,
        frozen: security.frozen,
        user_passphrase_attempt_count_reached: security.userFailures >= ATTEMPTS,
        master_passphrase_attempt_count_reached: security.masterFailures >= ATTEMPTS,
      },
    });
  }),

  command('set-passphrase', ({ machine, target }, request) => {
    const { security } = mediaOf(machine, target);
    const which = whichOf(request.passphrase_type);
    if (security.frozen || security.locked) return refused(INVALID_STATE);
    const wrong = check(security, which, request.current_passphrase);
    if (wrong !== undefined) return refused(wrong);
    security[which] = toHex(request.new_passphrase);
    return finished();
  }),

  command('disable-passphrase', ({ machine, target }, request) => {
    const { security } = mediaOf(machine, target);
    const which = whichOf(request.passphrase_type);
    if (security.frozen || security.locked || security[which] === null) return refused(INVALID_STATE);
    const wrong = check(security, which, request.current_passphrase);
    if (wrong !== undefined) return refused(wrong);
    security[which] = null;
    return finished();
  }),

  command('unlock', ({ machine, target }, { current_passphrase }) => {
    const { security } = mediaOf(machine, target);
    if (security.frozen || !security.locked) return refused(INVALID_STATE);
    const wrong = check(security, 'user', current_passphrase);
    if (wrong !== undefined) return refused(wrong);
    security.locked = false;
    return finished();
  }),

  command('freeze-security-state', ({ machine, target }) => {
    mediaOf(machine, target).security.frozen = true;
    return finished();
  }),

  // With the master passphrase it also opens media whose user passphrase is lost.
  command('passphrase-secure-erase', ({ machine, target }, request) => {
    const media = mediaOf(machine, target);
    const { security } = media;
    const which = whichOf(request.passphrase_type);
    if (target.cci.background !== null) return refused(RC.busy);
    if (security.frozen) return refused(INVALID_STATE);
    const wrong = check(security, which, request.current_passphrase);
    if (wrong !== undefined) return refused(wrong);
    erase(media);
    security.user = null;
    security.locked = false;
    return finished();
  }),
];

function whichOf(type: string | number): Which {
  return type === 'master' ? 'master' : 'user';
}

/** Holds a passphrase against the one that is set; any will do where none is. */
function check(security: SecurityState, which: Which, given: Uint8Array): number | undefined {
  const failures = which === 'user' ? 'userFailures' : 'masterFailures';
  if (security[failures] >= ATTEMPTS) return INVALID_STATE;
  if (security[which] === null || security[which] === toHex(given)) {
    security[failures] = 0;
    return undefined;
  }
  security[failures]++;
  return WRONG_PASSPHRASE;
}
