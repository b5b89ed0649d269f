import type { IncomingMessage } from 'node:http';
import type { CoreApi, Credential } from '../../broker/core-api.ts';
import { Type } from '../../schema/index.ts';
import { beginStream } from './begun-stream.ts';
import { consoleCloses } from './console-frames.ts';
import { ConsoleSocket } from './console-socket.ts';
import { credentialOf } from './credential.ts';
import type { HttpLimits } from './options.ts';
import { problemDocument, transportProblem } from './problems.ts';
import { answers, sendProblem, sendResult } from './replies.ts';
import { SwitchParam } from './schemas.ts';
import type { EdgeServer } from './server-type.ts';

export const CONSOLE_ROUTE = '/v1/switches/:switch/console';

const closed = { additionalProperties: false } as const;
const id = Type.String({ pattern: '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' });
const reason = Type.String({ minLength: 1, maxLength: 500, description: 'goes into the journal' });

const ApproveBody = Type.Object(
  {
    request: id,
    digest: Type.String({ pattern: '^[0-9a-f]{64}$', description: 'that of the request as it was looked at' }),
  },
  closed,
);
const DenyBody = Type.Object({ request: id, reason }, closed);
const KillBody = Type.Object({ session: id, reason }, closed);

export const ConsoleRequestDocument = Type.Object({
  id: Type.String(),
  switch: Type.String(),
  program: Type.String(),
  reason: Type.String(),
  durationMs: Type.Number(),
  principal: Type.String(),
  tenant: Type.String(),
  state: Type.String({ description: 'waiting, ready, opened, denied or expired' }),
  digest: Type.String(),
  expiresAtMs: Type.Number(),
  decidedBy: Type.Optional(Type.String()),
});

export const ConsoleSessionDocument = Type.Object({
  id: Type.String(),
  switch: Type.String(),
  program: Type.String(),
  reason: Type.String(),
  principal: Type.String(),
  tenant: Type.String(),
  approvedBy: Type.Optional(Type.String()),
  state: Type.String({ description: 'running, paused or detached' }),
  columns: Type.Integer(),
  rows: Type.Integer(),
  openedAtMs: Type.Number(),
  endsAtMs: Type.Number(),
  resumeMs: Type.Number({ description: 'how long a connection may be lost before it ends' }),
  watchers: Type.Array(Type.String()),
});

export const ConsolesDocument = Type.Object({
  unavailable: Type.Optional(Type.String({ description: 'why none can be opened here' })),
  programs: Type.Array(Type.Object({ name: Type.String(), title: Type.String(), approval: Type.Boolean() })),
  requests: Type.Array(ConsoleRequestDocument),
  sessions: Type.Array(ConsoleSessionDocument),
});

/** Consoles: what is open and asked for, the word of the second person, and the terminal itself over WebSocket. */
export function addConsoleRoutes(
  app: EdgeServer,
  core: CoreApi,
  parts: { readonly limits: HttpLimits; readonly sockets: Set<ConsoleSocket> },
): void {
  addConsoleCalls(app, core);
  addConsoleSocket(app, core, parts);
}

function addConsoleCalls(app: EdgeServer, core: CoreApi): void {
  app.get(
    '/v1/switches/:switch/consoles',
    {
      schema: {
        operationId: 'listConsoles',
        summary: 'Consoles that the caller may open, has asked for, may confirm, watch or end',
        tags: ['consoles'],
        params: SwitchParam,
        response: answers('what there is', ConsolesDocument),
      },
    },
    async (request, reply) => sendResult(reply, await core.consoles(credentialOf(request.raw), request.params.switch)),
  );

  app.post(
    '/v1/switches/:switch/console/approve',
    {
      schema: {
        operationId: 'approveConsole',
        summary: 'The second person confirms a request, exactly as the digest says; nobody confirms his own',
        tags: ['consoles'],
        params: SwitchParam,
        body: ApproveBody,
        response: answers('the request, ready to be opened', ConsoleRequestDocument),
      },
    },
    async (request, reply) => {
      const { request: asked, digest } = request.body;
      return sendResult(
        reply,
        await core.consoleApprove(credentialOf(request.raw), request.params.switch, asked, digest),
      );
    },
  );

  app.post(
    '/v1/switches/:switch/console/deny',
    {
      schema: {
        operationId: 'denyConsole',
        summary: 'The second person refuses a request, or who asked takes it back',
        tags: ['consoles'],
        params: SwitchParam,
        body: DenyBody,
        response: answers('the request', ConsoleRequestDocument),
      },
    },
    async (request, reply) => {
      const { request: asked, reason: why } = request.body;
      return sendResult(reply, await core.consoleDeny(credentialOf(request.raw), request.params.switch, asked, why));
    },
  );

  app.post(
    '/v1/switches/:switch/console/kill',
    {
      schema: {
        operationId: 'killConsole',
        summary: 'Ends a session at once: whoever may watch it',
        tags: ['consoles'],
        params: SwitchParam,
        body: KillBody,
        response: answers('the session, about to end', ConsoleSessionDocument),
      },
    },
    async (request, reply) => {
      const { session, reason: why } = request.body;
      return sendResult(reply, await core.consoleKill(credentialOf(request.raw), request.params.switch, session, why));
    },
  );
}

function addConsoleSocket(
  app: EdgeServer,
  core: CoreApi,
  { limits, sockets }: { readonly limits: HttpLimits; readonly sockets: Set<ConsoleSocket> },
): void {
  const callers = new WeakMap<IncomingMessage, { readonly tenant: string; readonly credential: Credential }>();
  const isFull = (tenant: string): boolean => {
    const own = [...sockets].filter((socket) => socket.tenant === tenant);
    return sockets.size >= limits.consoles || own.length >= limits.consolesPerTenant;
  };
  app.route({
    method: 'GET',
    url: CONSOLE_ROUTE,
    exposeHeadRoute: false,
    schema: {
      operationId: 'openConsole',
      summary: 'WebSocket: a recorded terminal',
      description:
        'Text frames are control messages, JSON with a `type`; binary frames are bytes behind their offset (8 bytes, ' +
        'little endian). The first message of the client is `open`, `resume` or `watch`. Described in docs/console-rules.md.',
      tags: ['consoles'],
      params: SwitchParam,
      response: { 101: { description: 'switching protocols', type: 'null' } },
    },
    preHandler: async (request, reply) => {
      if (!request.ws) return;
      if (sockets.size >= limits.consoles) return sendProblem(reply, transportProblem('streamsFull'));
      const begun = await beginStream(core, request, reply);
      if (!begun.ok) return sendProblem(reply, problemDocument(begun.problem));
      const credential = begun.value;
      const listed = await core.consoles(credential, request.params.switch);
      if (!listed.ok) return sendProblem(reply, problemDocument(listed.problem));
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
        return socket.close(consoleCloses.slow.code, 'too many are open');
      const one: ConsoleSocket = new ConsoleSocket(socket, core, {
        switch: request.params.switch,
        ...caller,
        firstMs: limits.headersTimeoutMs,
        pingMs: limits.streamPingMs,
        bufferBytes: limits.streamBufferBytes,
        onEnd: () => sockets.delete(one),
      });
      sockets.add(one);
    },
  });
}
