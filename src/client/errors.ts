import type { CommandAnswer, ProblemDocument } from './wire.ts';

/** Every code that an error of this library can have. */
export type ClientErrorCode =
  /** refusals of the broker */
  | 'EPERM'
  | 'ENOTTY'
  | 'EBUSY'
  | 'EINVAL'
  | 'ENOMEM'
  | 'EAGAIN'
  | 'EIO'
  | 'ETIMEDOUT'
  | 'EAUTH'
  | 'EPARAM'
  | 'ENOENT'
  | 'EINTERNAL'
  /** the device answered with an error code */
  | 'EDEVICE'
  /** no answer came */
  | 'EUNREACHABLE'
  /** what came is not an answer of a broker */
  | 'EPROTOCOL';

/** What every error of this library is. Branch on `code`; the message is for people and may change. */
export class CciError extends Error {
  readonly code: ClientErrorCode;
  constructor(code: ClientErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** The broker refused. */
export class BrokerError extends CciError {
  /** HTTP status. */
  readonly status: number;
  /** Finds the record of the request in the journal. */
  readonly requestId: string;
  readonly problem: ProblemDocument;
  constructor(problem: ProblemDocument) {
    super(problem.code, problem.detail);
    this.status = problem.status;
    this.requestId = problem.requestId;
    this.problem = problem;
  }
}

/** The device answered with a return code other than success and background-command-started. */
export class DeviceError extends CciError {
  readonly returnCode: number;
  readonly returnCodeName: string;
  readonly answer: CommandAnswer;
  constructor(answer: CommandAnswer) {
    super('EDEVICE', `the device answered ${answer.returnCodeName}`);
    this.returnCode = answer.returnCode;
    this.returnCodeName = answer.returnCodeName;
    this.answer = answer;
  }
}

/** A command of a session came back with a return code other than success: the broker refused it, or the device did. */
export class ReturnCodeError extends CciError {
  readonly returnCode: number;
  readonly returnCodeName: string;
  constructor(returnCode: number, returnCodeName: string) {
    super('EDEVICE', `the command ended with ${returnCodeName}`);
    this.returnCode = returnCode;
    this.returnCodeName = returnCodeName;
  }
}

/** The parameters are not what the command takes; nothing was sent. */
export class ParameterError extends CciError {
  /** Dotted path of the parameter, or empty. */
  readonly field: string;
  constructor(field: string, message: string) {
    super('EPARAM', field === '' ? message : `\`${field}\` ${message}`);
    this.field = field;
  }
}

/** Nothing answered: refused connection, lost connection, time-out. Whether a command was run is not known. */
export class UnreachableError extends CciError {
  /** `tls`: something listens there, but its certificate, or this client's, stands against it. */
  readonly reason: 'tls' | undefined;
  constructor(message: string, cause?: unknown, reason?: 'tls') {
    super('EUNREACHABLE', message, { cause });
    this.reason = reason;
  }
}

/** Something answered that is not a broker of this version. */
export class ProtocolError extends CciError {
  constructor(message: string, cause?: unknown) {
    super('EPROTOCOL', message, { cause });
  }
}
