import { RC } from '../../cci/index.ts';
import { errnoTable } from '../../policy/index.ts';
import type { Refusal } from '../pipeline/index.ts';

const { EPERM, EBUSY, EAGAIN, EIO, EINVAL } = errnoTable;

/** What a console call is refused with. A switch, request, session or seat that is not the caller's is not there. */
export const consoleRefusals = {
  notThere: { code: 'ENOENT', detail: 'there is no such thing here for you', returnCode: EPERM.returnCode },
  /** Never says who is at it. */
  inUse: { code: 'EBUSY', detail: 'the switch is in use: try again later', returnCode: EBUSY.returnCode },
  ownRequest: { code: 'EPERM', detail: 'nobody confirms his own request', returnCode: EPERM.returnCode },
  notWaiting: { code: 'EPARAM', detail: 'the request does not wait for that any more', returnCode: RC.invalidInput },
  otherDigest: {
    code: 'EPARAM',
    detail: 'the digest is not that of the request: look at it again',
    returnCode: RC.invalidInput,
    field: 'digest',
  },
  notReady: {
    code: 'EPARAM',
    detail: 'the request cannot be opened: it waits, or it is over',
    returnCode: RC.invalidInput,
  },
  approvalGone: {
    code: 'EPERM',
    detail: 'who confirmed the request may not do so any more: ask again',
    returnCode: EPERM.returnCode,
  },
  tooMany: { code: 'EAGAIN', detail: 'too many requests wait already', returnCode: EAGAIN.returnCode },
  watchersFull: { code: 'EAGAIN', detail: 'as many look on as there is room for', returnCode: EAGAIN.returnCode },
  missingInput: {
    code: 'EPARAM',
    detail: 'bytes before these have not arrived',
    returnCode: RC.invalidInput,
    field: 'offset',
  },
  notRecorded: { code: 'EIO', detail: 'not opened: it could not be recorded', returnCode: EIO.returnCode },
  notStarted: { code: 'EIO', detail: 'not opened: the program could not be started', returnCode: EIO.returnCode },
  tokenEnded: { code: 'EAUTH', detail: 'the token is not valid any more', returnCode: EINVAL.returnCode },
} as const satisfies Readonly<Record<string, Refusal>>;

export function badParameter(field: string, detail: string): Refusal {
  return { code: 'EPARAM', detail, returnCode: RC.invalidInput, field };
}

export function missingScope(scope: string): Refusal {
  return { code: 'EPERM', detail: `this needs a token with the scope \`${scope}\``, returnCode: EPERM.returnCode };
}

export function unavailable(why: string): Refusal {
  return {
    code: 'ENOTTY',
    detail: `consoles are not available here: ${why}`,
    returnCode: errnoTable.ENOTTY.returnCode,
  };
}
