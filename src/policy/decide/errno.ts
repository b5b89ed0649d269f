import { RC } from '../../cci/index.ts';
import type { Errno } from '../types.ts';

/** What a caller sees of a refusal, per errno class (policy section 9). */
export interface ErrnoRow {
  /** When it is used. */
  readonly meaning: string;
  readonly http: number;
  /** Exit code of `cci`. */
  readonly cciExit: number;
  /** Code on MCTP, the stream and the ioctl, unless the reason carries another (a bound target is 0002h). */
  readonly returnCode: number;
  /** The one sentence that leaves the broker. It never depends on which object was named (R22). */
  readonly text: string;
}

/**
 * INVARIANT: one text per errno. A foreign object and one that does not exist both end in the row `EPERM`, and so does
 * every other refusal by policy: nothing about the object can be read off the answer.
 */
export const errnoTable: { readonly [E in Errno]: ErrnoRow } = {
  EPERM: {
    meaning: 'policy',
    http: 403,
    cciExit: 3,
    returnCode: RC.invalidInput,
    text: 'not permitted, or there is no such object',
  },
  ENOTTY: {
    meaning: 'not offered',
    http: 404,
    cciExit: 3,
    returnCode: RC.unsupported,
    text: 'this command is not offered here',
  },
  EBUSY: {
    meaning: 'exclusive, slot taken, or target bound',
    http: 409,
    cciExit: 1,
    returnCode: RC.busy,
    text: 'the command or its target is in use',
  },
  EINVAL: {
    meaning: 'structure or value',
    http: 400,
    cciExit: 2,
    returnCode: RC.invalidInput,
    text: 'the command is malformed',
  },
  ENOMEM: {
    meaning: 'size',
    http: 400,
    cciExit: 2,
    returnCode: RC.invalidPayloadLength,
    text: 'a size does not fit the command',
  },
  EAGAIN: {
    meaning: 'quota or queue',
    http: 429,
    cciExit: 1,
    returnCode: RC.retryRequired,
    text: 'too much at once, try again later',
  },
  EIO: {
    meaning: 'journal, or device gone',
    http: 503,
    cciExit: 5,
    returnCode: RC.internalError,
    text: 'the broker cannot carry this out now',
  },
  ETIMEDOUT: {
    meaning: 'outcome unknown',
    http: 504,
    cciExit: 1,
    returnCode: RC.internalError,
    text: 'the outcome is unknown',
  },
};

/** The sentence for objects that are foreign, absent or unknown. */
export const NO_SUCH_OBJECT = errnoTable.EPERM.text;
