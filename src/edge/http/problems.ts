import { randomUUID } from 'node:crypto';
import type { Problem, ProblemCode } from '../../broker/core-api.ts';
import { RC } from '../../cci/index.ts';

/** How one problem code looks over HTTP. */
interface ProblemRow {
  readonly status: number;
  readonly errno: string;
  readonly title: string;
}

/** Problem code to HTTP status (policy.md section 9). `errno` is the class in the kernel's words. */
export const problemTable: { readonly [C in ProblemCode]: ProblemRow } = {
  EPERM: { status: 403, errno: 'EPERM', title: 'Denied by policy' },
  ENOTTY: { status: 404, errno: 'ENOTTY', title: 'Command not offered' },
  EBUSY: { status: 409, errno: 'EBUSY', title: 'Busy' },
  EINVAL: { status: 400, errno: 'EINVAL', title: 'Invalid command' },
  ENOMEM: { status: 400, errno: 'ENOMEM', title: 'Payload of the wrong size' },
  EPARAM: { status: 400, errno: 'EINVAL', title: 'Invalid request' },
  EAGAIN: { status: 429, errno: 'EAGAIN', title: 'Too many requests' },
  EIO: { status: 503, errno: 'EIO', title: 'Unavailable' },
  ETIMEDOUT: { status: 504, errno: 'ETIMEDOUT', title: 'Outcome unknown' },
  EAUTH: { status: 401, errno: 'EACCES', title: 'Not authenticated' },
  ENOENT: { status: 404, errno: 'ENOENT', title: 'Not found' },
  EINTERNAL: { status: 500, errno: 'EIO', title: 'Internal error' },
};

/** What goes wrong before the core is asked. `status` is set where the general one of the code is too coarse. */
export const transportProblems = {
  noRoute: { code: 'ENOENT', detail: 'there is no such route' },
  badUrl: { code: 'EPARAM', detail: 'the path is not valid percent-encoded UTF-8, or a part of it is too long' },
  query: { code: 'EPARAM', detail: 'no route takes a query string; a token never belongs into a URL' },
  badJson: { code: 'EPARAM', detail: 'the body is not JSON in UTF-8 without members `__proto__`, `constructor`' },
  badLength: { code: 'EPARAM', detail: 'the length of the body does not match the Content-Length header' },
  deepJson: { code: 'EPARAM', detail: 'the body nests deeper than is allowed' },
  badBody: { code: 'EPARAM', detail: 'the body is not what this route takes' },
  tooLarge: { code: 'EPARAM', status: 413, detail: 'the body is larger than is allowed' },
  mediaType: { code: 'EPARAM', status: 415, detail: 'the body must be of type application/json' },
  coded: { code: 'EPARAM', status: 415, detail: 'the body must not be compressed or otherwise encoded' },
  badRequest: { code: 'EPARAM', detail: 'the request is not valid HTTP' },
  headersTooLarge: { code: 'EPARAM', status: 431, detail: 'the headers are larger than is allowed' },
  slowRequest: { code: 'EPARAM', status: 408, detail: 'the request did not arrive in time' },
  badDeadline: { code: 'EPARAM', detail: '`cci-deadline-ms` is a whole number of milliseconds from 1 to 600000' },
  upgradeNeeded: { code: 'EPARAM', status: 426, detail: 'this route speaks WebSocket only, over HTTP/1.1' },
  notConfirmed: { code: 'EPERM', detail: 'the request was denied, or nobody confirmed it in time' },
  operatorsOnly: { code: 'EPERM', detail: 'this is for operators: principals of tenant `fabric`' },
  noUpgradeHere: { code: 'EPARAM', detail: 'this route does not speak WebSocket' },
  slowReader: { code: 'EAGAIN', status: 408, detail: 'the reader is too slow: resume behind the last event received' },
  streamsFull: { code: 'EAGAIN', detail: 'too many streams are open' },
  shuttingDown: { code: 'EIO', detail: 'the broker is shutting down' },
  internal: { code: 'EINTERNAL', detail: 'the broker failed inside; the request was refused' },
} as const satisfies {
  readonly [name: string]: { readonly code: ProblemCode; readonly status?: number; readonly detail: string };
};
export type TransportProblem = keyof typeof transportProblems;

/** An RFC 9457 problem document, `application/problem+json`. */
export interface ProblemDocument {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: ProblemCode;
  readonly errno: string;
  readonly requestId: string;
  readonly returnCode: number;
  readonly field?: string;
  readonly reasons?: Problem['reasons'];
  readonly retryAfterMs?: number;
  readonly dpop?: Problem['dpop'];
}

export const PROBLEM_TYPE = 'application/problem+json';

/** The document of a refusal by the core. */
export function problemDocument(problem: Problem, status?: number): ProblemDocument {
  const row = problemTable[problem.code];
  return {
    type: `urn:switch-cci:problem:${problem.code}`,
    title: row.title,
    status: status ?? row.status,
    detail: problem.detail,
    code: problem.code,
    errno: row.errno,
    requestId: problem.requestId,
    returnCode: problem.returnCode,
    ...(problem.field === undefined ? {} : { field: problem.field }),
    ...(problem.reasons === undefined ? {} : { reasons: problem.reasons }),
    ...(problem.retryAfterMs === undefined ? {} : { retryAfterMs: problem.retryAfterMs }),
    ...(problem.dpop === undefined ? {} : { dpop: problem.dpop }),
  };
}

const RETURN_CODES: { readonly [C in ProblemCode]?: number } = {
  EAGAIN: RC.retryRequired,
  EIO: RC.internalError,
  EINTERNAL: RC.internalError,
};

/** A refusal by the edge itself: the core never saw the request. */
export function transportProblem(
  name: TransportProblem,
  more: { readonly detail?: string; readonly field?: string; readonly requestId?: string } = {},
): ProblemDocument {
  const row: { readonly code: ProblemCode; readonly status?: number; readonly detail: string } =
    transportProblems[name];
  return problemDocument(
    {
      code: row.code,
      detail: more.detail ?? row.detail,
      requestId: more.requestId ?? randomUUID(),
      returnCode: RETURN_CODES[row.code] ?? RC.invalidInput,
      ...(more.field === undefined ? {} : { field: more.field }),
    },
    row.status,
  );
}

/** Headers that belong to a problem: what to do about it, where HTTP has a header for that. */
export function problemHeaders(document: ProblemDocument, httpVersion = 1): { readonly [name: string]: string } {
  switch (document.status) {
    case 401:
      return document.dpop === undefined
        ? { 'www-authenticate': 'Bearer realm="switch-cci"' }
        : dpopHeaders(document.dpop);
    case 426:
      // HTTP/2 has no headers of the connection.
      return httpVersion > 1 ? {} : { upgrade: 'websocket', connection: 'upgrade' };
    case 429:
    case 503:
      return { 'retry-after': String(Math.max(1, Math.ceil((document.retryAfterMs ?? 1000) / 1000))) };
    default:
      return {};
  }
}

/** RFC 9449 sections 7.1 and 9: what is wrong with the proof, and the nonce for the next one. */
function dpopHeaders({ error, nonce }: NonNullable<Problem['dpop']>): { readonly [name: string]: string } {
  const challenge = {
    'www-authenticate': `DPoP realm="switch-cci", error="${error}", algs="ES256 ES384 EdDSA Ed25519 PS256 RS256"`,
  };
  return nonce === undefined ? challenge : { ...challenge, 'dpop-nonce': nonce };
}
