import type { Socket } from 'node:net';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import type { FastifySchemaValidationError } from 'fastify/types/schema.js';
import type { Logger } from 'pino';
import { BodyRefused } from './json-body.ts';
import { PROBLEM_TYPE, type ProblemDocument, type TransportProblem, transportProblem } from './problems.ts';
import { sendProblem } from './replies.ts';

/** Errors of the HTTP framework, and what they are to a client. Anything else is a defect of ours. */
const FRAMEWORK: { readonly [code: string]: TransportProblem } = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'tooLarge',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'mediaType',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'badLength',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'badJson',
  FST_ERR_CTP_INVALID_JSON_BODY: 'badJson',
  FST_ERR_BAD_URL: 'badUrl',
  FST_ERR_MAX_PARAM_LENGTH: 'badUrl',
  FST_ERR_NOT_FOUND: 'noRoute',
  ECONNRESET: 'badRequest',
  ERR_STREAM_PREMATURE_CLOSE: 'badRequest',
};

/** Turns whatever a request threw into a problem document. */
export function failureHandler(log: Logger | undefined) {
  return (error: FastifyError, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const document = failureDocument(error, request);
    // Only our own defects are worth a stack; its message could quote the request, so it stays out.
    if (document.status >= 500) {
      log?.error({ requestId: document.requestId, name: error.name, at: stackOf(error) }, 'request failed inside');
    }
    return sendProblem(reply, document);
  };
}

function failureDocument(error: FastifyError, request: FastifyRequest): ProblemDocument {
  if (error instanceof BodyRefused) return transportProblem(error.problem);
  if (error.validation !== undefined) {
    const part = error.validationContext === 'querystring' ? 'query' : 'body';
    return validationProblem(error.validation, request, part);
  }
  const known = FRAMEWORK[error.code];
  if (known !== undefined) return transportProblem(known);
  // secure-json-parse and JSON.parse throw plain SyntaxErrors with statusCode 400.
  if (error instanceof SyntaxError && error.statusCode === 400) return transportProblem('badJson');
  return transportProblem('internal');
}

function stackOf(error: Error): readonly string[] {
  return (error.stack ?? '').split('\n').filter((line) => line.startsWith('    at '));
}

/** One sentence about the first thing that the schema does not allow. */
function validationProblem(
  errors: readonly FastifySchemaValidationError[],
  request: FastifyRequest,
  part: 'body' | 'query',
): ProblemDocument {
  const first = pickError(errors, request.body);
  if (first === undefined) return transportProblem('badBody');
  const path = first.instancePath.split('/').slice(1).map(unescapePointer);
  const { additionalProperty, missingProperty } = first.params;
  if (typeof additionalProperty === 'string') path.push(additionalProperty);
  if (typeof missingProperty === 'string') path.push(missingProperty);
  const field = path.join('.').slice(0, 200);
  const what =
    typeof additionalProperty === 'string'
      ? 'is not a member here'
      : typeof missingProperty === 'string'
        ? 'is missing'
        : (first.message ?? 'is not allowed');
  return transportProblem('badBody', {
    detail: field === '' ? `the ${part} ${what}` : `\`${field}\` ${what}`,
    ...(field === '' ? {} : { field }),
  });
}

function unescapePointer(part: string): string {
  return part.replaceAll('~1', '/').replaceAll('~0', '~');
}

/** Of a body with two shapes, the errors of the shape that was meant. */
function pickError(
  errors: readonly FastifySchemaValidationError[],
  body: unknown,
): FastifySchemaValidationError | undefined {
  const raw = typeof body === 'object' && body !== null && Object.hasOwn(body, 'raw');
  const branch = `#/anyOf/${raw ? 1 : 0}/`;
  const ofBranch = errors.filter((error) => error.schemaPath.startsWith(branch));
  // An unknown member says more than the missing one that it was meant to be.
  return (
    ofBranch.find((error) => error.keyword === 'additionalProperties') ??
    ofBranch[0] ??
    errors.find((error) => error.keyword !== 'anyOf') ??
    errors[0]
  );
}

const CLIENT_ERRORS: { readonly [code: string]: TransportProblem } = {
  HPE_HEADER_OVERFLOW: 'headersTooLarge',
  ERR_HTTP_REQUEST_TIMEOUT: 'slowRequest',
};

const REASONS: { readonly [status: number]: string } = {
  400: 'Bad Request',
  408: 'Request Timeout',
  431: 'Request Header Fields Too Large',
};

/** How long a peer that is answered so may take to close. Nothing else looks at its connection any more. */
const GOODBYE_MS = 1000;

/** Answers bytes that are no HTTP request: they never become one that the framework sees. */
export function answerClientError(error: { readonly code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable || socket.destroyed) {
    socket.destroy();
    return;
  }
  const document = transportProblem(CLIENT_ERRORS[error.code ?? ''] ?? 'badRequest');
  const body = JSON.stringify(document);
  socket.end(
    `HTTP/1.1 ${document.status} ${REASONS[document.status] ?? 'Bad Request'}\r\ncontent-type: ${PROBLEM_TYPE}\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
  const late = setTimeout(() => socket.destroy(), GOODBYE_MS);
  socket.once('close', () => clearTimeout(late));
}
