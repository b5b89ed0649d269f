import type { FastifyReply, FastifyRequest } from 'fastify';
import type { CoreApi, Credential } from '../../broker/core-api.ts';
import { beginStream } from './begun-stream.ts';
import { credentialOf } from './credential.ts';
import type { EdgeMetrics } from './metrics.ts';
import { peerOf } from './peer.ts';
import { type ProblemDocument, problemDocument, transportProblem } from './problems.ts';
import { answers, sendProblem, textAnswers } from './replies.ts';
import { ReadinessDocument } from './schemas.ts';
import type { EdgeServer } from './server-type.ts';

/** The tenant whose callers run the fabric. */
const OPERATORS = 'fabric';

/**
 * What a supervisor asks: is the process alive, can it serve, what does it count, what does it speak. On this machine none
 * needs a token, and none says anything about switches, tenants or devices to somebody who has no operator's. For everybody
 * else there is no health here (`http.health` is for that), counters are for operators, the description for any caller.
 */
export function addOperationsRoutes(
  app: EdgeServer,
  core: CoreApi,
  parts: {
    readonly metrics: EdgeMetrics;
    /** Counters of other listeners. */
    readonly more: (() => Promise<string>) | undefined;
    readonly draining: () => boolean;
  },
): void {
  const localOnly = async (request: FastifyRequest, reply: FastifyReply) => {
    if (!peerOf(request.raw).isLocal) return sendProblem(reply, transportProblem('noRoute'));
  };
  /** Undefined where the caller may go on. */
  const stranger = async (
    request: FastifyRequest,
    credential: Credential,
    tenant?: string,
  ): Promise<ProblemDocument | undefined> => {
    if (peerOf(request.raw).isLocal) return undefined;
    const caller = await core.whoami(credential);
    if (!caller.ok) return problemDocument(caller.problem);
    if (tenant === undefined || caller.value.tenant === tenant) return undefined;
    return transportProblem('operatorsOnly');
  };
  app.get(
    '/healthz',
    {
      schema: {
        operationId: 'health',
        summary: 'The process lives',
        tags: ['operations'],
        security: [],
        response: textAnswers('always `ok`'),
      },
      preHandler: localOnly,
    },
    async (_request, reply) => reply.type('text/plain; charset=utf-8').send('ok\n'),
  );

  app.get(
    '/readyz',
    {
      schema: {
        operationId: 'readiness',
        summary: 'The broker can serve; 503 with the same body when it cannot',
        tags: ['operations'],
        security: [],
        response: answers('ready', ReadinessDocument),
      },
      preHandler: localOnly,
    },
    async (_request, reply) => {
      const { ready, checks } = await core.readiness();
      const draining = parts.draining();
      const edge = { name: 'edge', ok: !draining, detail: draining ? 'shutting down' : 'listening' };
      const document = { ready: ready && !draining, checks: [...checks, edge] };
      return reply
        .code(document.ready ? 200 : 503)
        .type('application/json; charset=utf-8')
        .send(JSON.stringify(document));
    },
  );

  app.get(
    '/metrics',
    {
      schema: {
        operationId: 'metrics',
        summary:
          'Counters in the Prometheus text format; with a token of an operator, those of switches and tenants as well',
        tags: ['operations'],
        security: [],
        response: textAnswers('metrics of the core and of this edge'),
      },
    },
    async (request, reply) => {
      // The core is asked twice, and a proof counts once.
      const begun = await beginStream(core, request, reply);
      if (!begun.ok) return sendProblem(reply, problemDocument(begun.problem));
      const refused = await stranger(request, begun.value, OPERATORS);
      if (refused !== undefined) return sendProblem(reply, refused);
      const texts = await Promise.all([core.metrics(begun.value), parts.metrics.text(), parts.more?.() ?? '']);
      const whole = texts.map((text) => (text === '' || text.endsWith('\n') ? text : `${text}\n`));
      return reply.type(parts.metrics.contentType).send(whole.join(''));
    },
  );

  // The same for every broker of a version, but which version it is need not be told to strangers.
  app.get('/openapi.json', { schema: { hide: true } }, async (request, reply) => {
    const refused = await stranger(request, credentialOf(request.raw));
    if (refused !== undefined) return sendProblem(reply, refused);
    return reply.type('application/json; charset=utf-8').send(JSON.stringify(app.swagger()));
  });
}
