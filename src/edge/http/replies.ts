import type { FastifyReply } from 'fastify';
import type { CoreResult } from '../../broker/core-api.ts';
import { Type } from '../../schema/index.ts';
import { PROBLEM_TYPE, type ProblemDocument, problemDocument, problemHeaders } from './problems.ts';

/** Sends a problem document with its status and headers. */
export function sendProblem(reply: FastifyReply, document: ProblemDocument): FastifyReply {
  const version = reply.request.raw.httpVersionMajor;
  // The framework sets it on some refusals; HTTP/2 has no such header, and Node warns of it.
  if (version > 1) reply.removeHeader('connection');
  return reply
    .code(document.status)
    .headers(problemHeaders(document, version))
    .header('content-type', PROBLEM_TYPE)
    .send(JSON.stringify(document));
}

/** Sends what the core said: its value, or its refusal as a problem document. */
export function sendResult<T>(reply: FastifyReply, result: CoreResult<T>, shape?: (value: T) => unknown): FastifyReply {
  if (!result.ok) return sendProblem(reply, problemDocument(result.problem));
  return reply
    .header('content-type', 'application/json; charset=utf-8')
    .send(JSON.stringify(shape === undefined ? result.value : shape(result.value)));
}

const problemContent = {
  description: 'a problem document (RFC 9457)',
  content: { [PROBLEM_TYPE]: { schema: Type.Unsafe<ProblemDocument>({ $ref: 'Problem#' }) } },
};

/** The answers of a route, for its part of `/openapi.json`. */
export function answers(description: string, schema: object): object {
  return { 200: { description, content: { 'application/json': { schema } } }, default: problemContent };
}

/** The same for a route that answers in plain text. */
export function textAnswers(description: string): object {
  return { 200: { description, content: { 'text/plain': { schema: { type: 'string' } } } } };
}
