import type { IncomingMessage } from 'node:http';
import type { CoreApi, Credential, EventPage, EventQuery } from '../../broker/core-api.ts';
import { type Static, Type } from '../../schema/index.ts';
import { beginStream } from './begun-stream.ts';
import { credentialOf } from './credential.ts';
import { isGone } from './gone.ts';
import type { HttpLimits } from './options.ts';
import { problemDocument, transportProblem } from './problems.ts';
import { answers, sendProblem, sendResult } from './replies.ts';
import { sseSink, webSocketSink } from './routes-events-sinks.ts';
import { EventStream } from './routes-events-stream.ts';
import { SwitchParam } from './schemas.ts';
import type { EdgeServer } from './server-type.ts';

export const EVENTS_ROUTE = '/v1/switches/:switch/events';
const EVENT_STREAM = 'text/event-stream';

const EventsQuery = Type.Object(
  {
    after: Type.Optional(
      Type.String({
        maxLength: 64,
        description: 'id of the last event that the reader has, or `now`; else the oldest kept',
      }),
    ),
    limit: Type.Optional(
      Type.String({ pattern: '^[1-9][0-9]{0,3}$', description: 'most events of a list, 1 to 1000; 100 if not given' }),
    ),
  },
  { additionalProperties: false },
);

const event = { id: Type.String({ description: '`after` of what follows it; opaque' }) };
const place = {
  log: Type.String({ description: 'informational, warning, failure, fatal, dynamic-capacity' }),
  source: Type.String({ description: '`switch`, or the path of a device' }),
  timestamp: Type.String({ description: "nanoseconds since 1970 on the tenant's own clock" }),
};

export const EventDocument = Type.Union([
  Type.Object({
    kind: Type.Literal('record'),
    ...event,
    ...place,
    handle: Type.Integer({ description: "in the tenant's own event log; 0 where it is in none" }),
    record: Type.String({ description: 'the record of 128 bytes as the tenant may see it, hex' }),
    type: Type.String(),
    uuid: Type.Optional(Type.String()),
    severity: Type.Optional(Type.String()),
    details: Type.Optional(Type.Unknown({ description: 'decoded data, where the kind of record is known' })),
  }),
  Type.Object({
    kind: Type.Literal('overflow'),
    ...event,
    ...place,
    lost: Type.Optional(Type.Integer({ description: 'how many records the device lost, for operators' })),
  }),
  Type.Object({
    kind: Type.Literal('gap'),
    ...event,
    lost: Type.Optional(Type.Integer({ description: 'how many events are not kept any more, where that is known' })),
  }),
]);

export const EventPageDocument = Type.Object({
  events: Type.Array(EventDocument),
  next: Type.String({ description: '`after` of the next question' }),
  more: Type.Boolean(),
});

/** A list, server-sent events, or a WebSocket, by what the request asks for. */
export function addEventsRoute(
  app: EdgeServer,
  core: CoreApi,
  parts: { readonly limits: HttpLimits; readonly streams: Set<EventStream> },
): void {
  const { limits, streams } = parts;
  /** What the look before an upgrade found. */
  const looks = new WeakMap<
    IncomingMessage,
    { readonly tenant: string; readonly credential: Credential; readonly page: EventPage }
  >();
  const isFull = (tenant: string): boolean => {
    const own = [...streams].filter((stream) => stream.tenant === tenant);
    return streams.size >= limits.eventStreams || own.length >= limits.eventStreamsPerTenant;
  };
  const settings = { heartbeatMs: limits.eventHeartbeatMs, stallMs: limits.eventStallMs };

  app.route({
    method: 'GET',
    url: EVENTS_ROUTE,
    exposeHeadRoute: false,
    schema: {
      operationId: 'events',
      summary: 'Events that concern the caller: a list, server-sent events, or a WebSocket',
      description:
        'With `Accept: text/event-stream` the answer goes on: server-sent events `record`, `overflow`, `gap` and ' +
        '`end`, ids for Last-Event-ID. With an upgrade to WebSocket each message is one event as JSON. Else a list.',
      tags: ['views'],
      params: SwitchParam,
      querystring: EventsQuery,
      response: answers('events, oldest first', EventPageDocument),
    },
    // What is refused is refused with a status, before anything is streamed or upgraded.
    preHandler: async (request, reply) => {
      if (!request.ws && !wantsStream(request.headers.accept)) return;
      const begun = await beginStream(core, request, reply);
      if (!begun.ok) return sendProblem(reply, problemDocument(begun.problem));
      const credential = begun.value;
      const caller = await core.whoami(credential);
      if (!caller.ok) return sendProblem(reply, problemDocument(caller.problem));
      if (isFull(caller.value.tenant)) return sendProblem(reply, transportProblem('streamsFull'));
      const page = await core.events(credential, request.params.switch, firstQuery(request.raw, request.query));
      if (!page.ok) return sendProblem(reply, problemDocument(page.problem));
      looks.set(request.raw, { tenant: caller.value.tenant, credential, page: page.value });
    },
    handler: async (request, reply) => {
      const look = looks.get(request.raw);
      if (look === undefined) {
        const credential = credentialOf(request.raw);
        return sendResult(reply, await core.events(credential, request.params.switch, listQuery(request.query)));
      }
      // Many may have been looked at before the first of them was counted.
      if (isFull(look.tenant)) return sendProblem(reply, transportProblem('streamsFull'));
      // Nobody would end a stream whose reader went away before it began.
      if (isGone(reply.raw)) return sendProblem(reply, transportProblem('badRequest'));
      const headers = Object.entries(reply.getHeaders());
      reply.hijack();
      for (const [name, value] of headers) if (value !== undefined) reply.raw.setHeader(name, value);
      reply.raw.writeHead(200, { 'content-type': EVENT_STREAM, 'x-accel-buffering': 'no' });
      const stream: EventStream = new EventStream(core, sseSink(reply.raw), {
        ...settings,
        credential: look.credential,
        switch: request.params.switch,
        tenant: look.tenant,
        onEnd: () => streams.delete(stream),
      });
      streams.add(stream);
      reply.raw.once('close', () => stream.end(transportProblem('shuttingDown')));
      await stream.run(look.page);
      return reply;
    },
    wsHandler: (socket, request) => {
      const look = looks.get(request.raw);
      if (look === undefined || isFull(look.tenant)) return socket.close(1013, 'too many streams are open');
      const stream: EventStream = new EventStream(core, webSocketSink(socket), {
        ...settings,
        credential: look.credential,
        switch: request.params.switch,
        tenant: look.tenant,
        onEnd: () => streams.delete(stream),
      });
      streams.add(stream);
      socket.on('error', () => socket.terminate());
      socket.on('message', () => socket.close(1003, 'this stream takes no messages'));
      socket.once('close', () => stream.end(transportProblem('shuttingDown')));
      void stream.run(look.page);
    },
  });
}

/** Ends every stream of events: readers come back with the last id that they have. */
export function endEventStreams(streams: ReadonlySet<EventStream>): void {
  for (const stream of [...streams]) stream.end(transportProblem('shuttingDown'));
}

function wantsStream(accept: string | undefined): boolean {
  return (accept ?? '').split(',').some((part) => part.split(';')[0]?.trim().toLowerCase() === EVENT_STREAM);
}

function listQuery({ after, limit }: Static<typeof EventsQuery>): EventQuery {
  return {
    ...(after === undefined ? {} : { after }),
    ...(limit === undefined ? {} : { limit: Number(limit) }),
  };
}

/** A reader that comes back says in a header where he was; that is newer than what his URL says. */
function firstQuery(request: IncomingMessage, query: Static<typeof EventsQuery>): EventQuery {
  const last = request.headers['last-event-id'];
  const after = typeof last === 'string' && last !== '' ? last : query.after;
  return after === undefined ? {} : { after };
}
