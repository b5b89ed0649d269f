import { BackendError, type BackendErrorCode, type BackendFailure } from '../backend.ts';
import { errnoOf } from '../native/index.ts';

interface Meaning {
  readonly code: BackendErrorCode;
  readonly outcome: BackendFailure;
  readonly text: string;
}

/**
 * What an errno of the send call means. It speaks for the transport and the kernel's rules; the device speaks through
 * its return code. `EINVAL` and `EBUSY` leave the device usable, everything else has it opened anew.
 */
const meanings: { readonly [errno: string]: Meaning } = {
  ENOTTY: { code: 'EINVAL', outcome: 'not-sent', text: 'the kernel does not offer this command on this device' },
  EPERM: {
    code: 'EINVAL',
    outcome: 'not-sent',
    text: 'the kernel refuses this command as a raw one: it was built without raw commands, is locked down, or never allows this opcode',
  },
  EINVAL: {
    code: 'EINVAL',
    outcome: 'not-sent',
    text: 'the kernel refuses the form of the command: a payload over the size of the mailbox (see `max_payload`), or a field it does not know',
  },
  ENOMEM: { code: 'EINVAL', outcome: 'not-sent', text: 'the kernel wants payloads of another size for this command' },
  EBUSY: {
    code: 'EBUSY',
    outcome: 'not-sent',
    text: 'the mailbox is busy, or the kernel keeps this command or payload to itself',
  },
  ENXIO: { code: 'EIO', outcome: 'not-sent', text: 'the device is gone' },
  ENODEV: { code: 'EIO', outcome: 'not-sent', text: 'the device is gone' },
  // The kernel says the same when the device began a background operation, which then goes on.
  ETIMEDOUT: {
    code: 'ETIMEDOUT',
    outcome: 'unknown',
    text: 'the mailbox did not answer in time, or a background operation was started and goes on',
  },
};

/** Anything unknown may have happened after the command ran, such as a reply that could not be copied (EFAULT). */
const OTHERWISE: Meaning = { code: 'EIO', outcome: 'unknown', text: 'the kernel could not finish the command' };

export function explainSend(cause: unknown): BackendError {
  const errno = errnoOf(cause);
  const { code, outcome, text } = meanings[errno] ?? OTHERWISE;
  return new BackendError(code, outcome, `${text} (${errno || String(cause)})`, { cause });
}
