import { BrokerError, CciError, UnreachableError } from '../client/index.ts';
import { EXIT, type ExitCode, errorTable } from './exit-codes.ts';
import type { Io } from './io.ts';
import { paint } from './paint.ts';
import { safe, safeJson } from './safe-text.ts';
import { LocalError, UsageError } from './usage-error.ts';

/** Prints what went wrong, in one sentence, and what to do next. Returns the status of the process. */
export function report(io: Io, error: unknown, asJson: boolean): ExitCode {
  const told = describe(error);
  if (asJson) {
    io.err(`${safeJson({ error: { ...told.data, message: told.sentence, next: told.next, exit: told.exit } }, 0)}\n`);
    return told.exit;
  }
  const colours = paint(io, 'err');
  const id = told.requestId === undefined ? '' : `, request ${told.requestId}`;
  const code = told.code === undefined ? '' : ` (${told.code}${id})`;
  io.err(`${colours.red('cci:')} ${safe(told.sentence + code)}\n`);
  for (const reason of told.reasons) io.err(`  ${safe(reason)}\n`);
  io.err(`  ${colours.dim('next:')} ${safe(told.next)}\n`);
  return told.exit;
}

const TLS_NEXT = 'name who signed its certificate with --ca or CCI_CA, and show your own with --cert and --cert-key';

interface Told {
  readonly exit: ExitCode;
  readonly sentence: string;
  readonly next: string;
  readonly code?: string;
  readonly requestId?: string;
  readonly reasons: readonly string[];
  readonly data: object;
}

function describe(error: unknown): Told {
  if (error instanceof BrokerError) {
    const { problem, code, requestId } = error;
    const row = errorTable[code];
    // The token is good; what is missing is the proof.
    const next = problem.dpop === undefined ? row.next : 'name the key of your token with --dpop-key or CCI_DPOP_KEY';
    const wait = problem.retryAfterMs === undefined ? '' : `; it asks for ${Math.ceil(problem.retryAfterMs / 1000)} s`;
    return {
      exit: row.exit,
      sentence: problem.detail,
      next: next + wait,
      code,
      requestId,
      reasons: (problem.reasons ?? []).map((reason) => `${reason.rule}: ${reason.text}${source(reason.source)}`),
      data: problem,
    };
  }
  if (error instanceof CciError) {
    const row = errorTable[error.code];
    return {
      exit: row.exit,
      sentence: error.message,
      next: error instanceof UnreachableError && error.reason === 'tls' ? TLS_NEXT : row.next,
      code: error.code,
      reasons: [],
      data: { code: error.code },
    };
  }
  if (error instanceof UsageError) {
    return { exit: EXIT.usage, sentence: error.message, next: error.next, reasons: [], data: { code: 'EUSAGE' } };
  }
  if (error instanceof LocalError) {
    const { message: sentence, next, details: reasons } = error;
    return { exit: EXIT.failed, sentence, next, reasons, data: { code: 'ELOCAL', details: reasons } };
  }
  const sentence = error instanceof Error ? error.message : String(error);
  return {
    exit: EXIT.failed,
    sentence,
    next: 'run it again; if it stays, report it',
    reasons: [],
    data: { code: 'EFAILED' },
  };
}

function source(text: string | undefined): string {
  return text === undefined ? '' : ` [${text}]`;
}
