import type { CoreApi } from '../../broker/core-api.ts';
import { credentialOf } from './credential.ts';
import type { EdgeMetrics } from './metrics.ts';
import { answers, textAnswers } from './replies.ts';
import { ReadinessDocument } from './schemas.ts';
import type { EdgeServer } from './server-type.ts';

/**
 * What a supervisor asks: is the process alive, can it serve, what does it count, what does it speak. None needs a token
 * and none says anything about tenants or devices to somebody who has no operator's.
 */
export function addOperationsRoutes(
  app: EdgeServer,
  core: CoreApi,
  parts: { readonly metrics: EdgeMetrics; readonly draining: () => boolean },
): void {
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
        summary: 'Counters in the Prometheus text format; with a token of an operator, those of single tenants as well',
        tags: ['operations'],
        security: [],
        response: textAnswers('metrics of the core and of this edge'),
      },
    },
    async (request, reply) => {
      const [ofCore, ofEdge] = await Promise.all([core.metrics(credentialOf(request.raw)), parts.metrics.text()]);
      const separator = ofCore === '' || ofCore.endsWith('\n') ? '' : '\n';
      return reply.type(parts.metrics.contentType).send(`${ofCore}${separator}${ofEdge}`);
    },
  );

  app.get('/openapi.json', { schema: { hide: true } }, async (_request, reply) =>
    reply.type('application/json; charset=utf-8').send(JSON.stringify(app.swagger())),
  );
}
