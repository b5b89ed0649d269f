import type { ClientErrorCode } from '../client/index.ts';

/** What the process says when it ends. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  denied: 3,
  /** the device answered with an error code */
  device: 4,
  /** broker or device unreachable */
  unreachable: 5,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** An error, as a process status and as the sentence that tells what to do next. */
export interface ErrorRow {
  readonly exit: ExitCode;
  readonly next: string;
}

/** policy.md section 9, column `cci` exit, and the codes that only a client sees. */
export const errorTable: { readonly [C in ClientErrorCode]: ErrorRow } = {
  EPERM: { exit: EXIT.denied, next: '`cci can` says what a command would need, `cci whoami` what you have' },
  ENOTTY: { exit: EXIT.denied, next: '`cci show commands` lists what you are offered' },
  EBUSY: { exit: EXIT.failed, next: 'wait for what is running (`cci show operations`), then try again' },
  EINVAL: { exit: EXIT.usage, next: '`cci run SLUG --help` lists the fields and their ranges' },
  ENOMEM: { exit: EXIT.usage, next: '`cci run SLUG --help` lists the fields and their sizes' },
  EAGAIN: { exit: EXIT.failed, next: 'you sent more than your share: wait a moment, then try again' },
  EIO: { exit: EXIT.unreachable, next: 'the route `/readyz` of the broker says what is wrong with it' },
  ETIMEDOUT: {
    exit: EXIT.failed,
    next: 'it may have been run all the same: look at the state before you send it again',
  },
  EAUTH: {
    exit: EXIT.denied,
    next: 'set CCI_TOKEN or use --token-file; `cci token issue --tenant acme --subject me` makes a local one',
  },
  EPARAM: { exit: EXIT.usage, next: 'the same command with `--help` lists what it takes' },
  ENOENT: { exit: EXIT.denied, next: '`cci switches` lists what you can see' },
  EINTERNAL: { exit: EXIT.failed, next: 'give the request id to the operator of the broker: its log says more' },
  EDEVICE: { exit: EXIT.device, next: 'the command reached the device, which did not want it' },
  EUNREACHABLE: {
    exit: EXIT.unreachable,
    next: 'start a broker with `cci serve`, or name another with --url or CCI_URL',
  },
  EPROTOCOL: {
    exit: EXIT.unreachable,
    next: 'check --url and CCI_URL: they must name a Switch CCI broker of this version',
  },
};
