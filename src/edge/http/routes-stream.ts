import type { IncomingMessage } from 'node:http';
import type { CoreApi, Credential } from '../../broker/core-api.ts';
import { beginStream } from './begun-stream.ts';
import { deadlineOf } from './deadline.ts';
import type { EdgeMetrics } from './metrics.ts';
import type { HttpLimits } from './options.ts';
import { problemDocument, transportProblem } from './problems.ts';
import { sendProblem } from './replies.ts';
import { SwitchParam } from './schemas.ts';
import type { EdgeServer } from './server-type.ts';
import { closeReasons, StreamSession } from './stream-session.ts';

export const STREAM_ROUTE = '/v1/switches/:switch/stream';

/** The stream: authenticated before the upgrade, authorised message by message. */
export function addStreamRoute(
  app: EdgeServer,
  core: CoreApi,
  parts: { readonly limits: HttpLimits; readonly metrics: EdgeMetrics; readonly sessions: Set<StreamSession> },
): void {
  const { limits, metrics, sessions } = parts;
  /** Whose stream it is to be, and what he shows on it, from the look at the token before the upgrade. */
  const callers = new WeakMap<IncomingMessage, { readonly tenant: string; readonly credential: Credential }>();
  const isFull = (tenant: string): boolean => {
    const own = [...sessions].filter((session) => session.tenant === tenant);
    return sessions.size >= limits.streams || own.length >= limits.streamsPerTenant;
  };
  app.route({
    method: 'GET',
    url: STREAM_ROUTE,
    exposeHeadRoute: false,
    schema: {
      operationId: 'openStream',
      summary: 'WebSocket: binary CCI messages in both directions',
      description:
        'Each frame is one CCI message: 12-byte header and payload. At most 255 are under way; a tag still in flight ' +
        'is refused with return code 0002h. Refusals are CCI return codes. The token goes into the Authorization ' +
        'header of the upgrade.',
      tags: ['commands'],
      params: SwitchParam,
      response: { 101: { description: 'switching protocols', type: 'null' } },
    },
    preHandler: async (request, reply) => {
      if (!request.ws) return;
      const deadline = deadlineOf(request.raw);
      if (!deadline.ok) return sendProblem(reply, deadline.problem);
      if (sessions.size >= limits.streams) return sendProblem(reply, transportProblem('streamsFull'));
      const begun = await beginStream(core, request, reply);
      if (!begun.ok) return sendProblem(reply, problemDocument(begun.problem));
      const credential = begun.value;
      const seen = await core.switches(credential);
      if (!seen.ok) return sendProblem(reply, problemDocument(seen.problem));
      if (!seen.value.some(({ name }) => name === request.params.switch)) {
        return sendProblem(reply, transportProblem('noRoute', { detail: 'there is no such switch' }));
      }
      const caller = await core.whoami(credential);
      if (!caller.ok) return sendProblem(reply, problemDocument(caller.problem));
      if (isFull(caller.value.tenant)) return sendProblem(reply, transportProblem('streamsFull'));
      callers.set(request.raw, { tenant: caller.value.tenant, credential });
    },
    handler: async (_request, reply) => sendProblem(reply, transportProblem('upgradeNeeded')),
    wsHandler: (socket, request) => {
      const caller = callers.get(request.raw);
      // Many upgrades may have been looked at before the first of them was counted.
      if (caller === undefined || isFull(caller.tenant))
        return socket.close(closeReasons.streamsFull.code, closeReasons.streamsFull.text);
      const deadline = deadlineOf(request.raw);
      const deadlineMs = deadline.ok ? deadline.deadlineMs : undefined;
      const session: StreamSession = new StreamSession(socket, core, {
        switch: request.params.switch,
        ...caller,
        carrier: request.raw.socket,
        ...(deadlineMs === undefined ? {} : { deadlineMs }),
        bufferBytes: limits.streamBufferBytes,
        pingMs: limits.streamPingMs,
        metrics,
        onEnd: () => sessions.delete(session),
      });
      sessions.add(session);
    },
  });
}
