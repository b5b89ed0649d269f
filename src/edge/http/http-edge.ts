import type { RequestListener } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import swagger from '@fastify/swagger';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import websocket from '@fastify/websocket';
import { fastify, type InjectOptions, type LightMyRequestResponse } from 'fastify';
import type { CoreApi } from '../../broker/core-api.ts';
import { TlsError, type TlsMaterial } from '../tls/index.ts';
import type { ConsoleSocket } from './console-socket.ts';
import { answerClientError, failureHandler } from './failures.ts';
import { createHealthListener } from './health-listener.ts';
import { IdleConnections } from './idle-connections.ts';
import { InFlight } from './in-flight.ts';
import { addJsonParser } from './json-body.ts';
import { createEdgeMetrics, type EdgeMetrics } from './metrics.ts';
import { commandSchemas } from './openapi-commands.ts';
import { defaultHttpLimits, type HttpEdgeOptions, type HttpLimits } from './options.ts';
import { peerOf } from './peer.ts';
import { transportProblem } from './problems.ts';
import { type OwnNames, rememberProofUrl } from './proof-url.ts';
import { sendProblem } from './replies.ts';
import { addCommandRoutes } from './routes-commands.ts';
import { addConsoleRoutes, CONSOLE_ROUTE } from './routes-console.ts';
import { addEventsRoute, EVENTS_ROUTE, endEventStreams } from './routes-events.ts';
import type { EventStream } from './routes-events-stream.ts';
import { addOperationsRoutes } from './routes-operations.ts';
import { addRevocationRoutes } from './routes-revocations.ts';
import { addStreamRoute, STREAM_ROUTE } from './routes-stream.ts';
import { addTopologyRoutes } from './routes-topology.ts';
import { addPostureRoutes, addViewRoutes } from './routes-views.ts';
import { ProblemSchema } from './schemas.ts';
import { plainNames, type SecurePart, securePart } from './secure-part.ts';
import type { EdgeServer } from './server-type.ts';
import type { StreamSession } from './stream-session.ts';
import { RequestValidators } from './validators.ts';

export interface HttpEdge {
  /** Starts to listen. Port 0 takes a free one. */
  listen(
    host: string,
    port: number,
  ): Promise<{
    readonly host: string;
    readonly port: number;
    readonly url: string;
    /** Where `/healthz` and `/readyz` are besides, if anywhere. */
    readonly health?: { readonly host: string; readonly port: number };
  }>;
  /**
   * Another certificate for connections from now on; those that are open go on.
   * @throws TlsError where it cannot be used, or the edge has no TLS: the one in force stays
   */
  renewCertificate(material: TlsMaterial): void;
  /** One request without a socket, for tests. */
  inject(request: InjectOptions | string): Promise<LightMyRequestResponse>;
  /** Refuses what is new, waits for what is in flight (at most `shutdownMs`), then closes every connection. */
  close(): Promise<void>;
}

/**
 * The HTTP and WebSocket listener. Parses transport, calls the core, nothing else: it believes no token and knows no
 * policy.
 */
export function createHttpEdge(core: CoreApi, options: HttpEdgeOptions = {}): HttpEdge {
  const limits: HttpLimits = { ...defaultHttpLimits, ...options.limits };
  const metrics = createEdgeMetrics();
  const inFlight = new InFlight();
  const sessions = new Set<StreamSession>();
  const consoleSockets = new Set<ConsoleSocket>();
  const eventStreams = new Set<EventStream>();
  const state = { draining: false };
  const secure = securePart(options, { limits, metrics });
  const validators = new RequestValidators();
  const app = createServer(limits, secure, validators);
  const health = options.health === undefined ? undefined : createHealthListener(core, () => state.draining);

  app.addSchema(ProblemSchema);
  app.setSerializerCompiler(() => JSON.stringify);
  app.setErrorHandler(failureHandler(options.log));
  app.setNotFoundHandler((_request, reply) => sendProblem(reply, transportProblem('noRoute')));
  addJsonParser(app, limits.jsonDepth);
  const upgraded = trackUpgrades(app, limits);
  const idle = new IdleConnections(app.server, limits.connections);

  app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Switch CCI broker',
        description: 'Commands to a CXL switch, decided by policy. Every route under `/v1` takes a bearer token.',
        version: options.version ?? '0.0.0',
      },
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } } },
      security: [{ token: [] }],
    },
    transformObject: (document) =>
      'openapiObject' in document ? withCommands(document.openapiObject) : document.swaggerObject,
    refResolver: { buildLocalReference: (json, _base, _fragment, i) => String(json.$id ?? `def-${i}`) },
  });
  app.register(websocket, {
    options: { maxPayload: limits.frameBytes, perMessageDeflate: false, clientTracking: true },
    errorHandler: (_error, socket) => socket.terminate(),
  });
  // Hooks run in the order in which they are added, and ours ask whether the request is an upgrade.
  app.after(() => {
    addAccounts(app, { inFlight, idle, metrics, options });
    addGates(app, state, secure?.names ?? plainNames(options));
  });
  app.register(async (routes) => {
    const typed = routes.withTypeProvider<TypeBoxTypeProvider>();
    addCommandRoutes(typed, core);
    addViewRoutes(typed, core);
    addPostureRoutes(typed, core);
    addTopologyRoutes(typed, core);
    addRevocationRoutes(typed, core);
    addStreamRoute(typed, core, { limits, metrics, sessions });
    addConsoleRoutes(typed, core, { limits, sockets: consoleSockets });
    addEventsRoute(typed, core, { limits, streams: eventStreams });
    addOperationsRoutes(typed, core, { metrics, more: options.moreMetrics, draining: () => state.draining });
  });

  return {
    async listen(host, port) {
      await app.listen({ host, port });
      const address = app.server.address() as AddressInfo;
      const shown = address.family === 'IPv6' ? `[${address.address}]` : address.address;
      const url = `${secure === undefined ? 'http' : 'https'}://${shown}:${address.port}`;
      const at = { host: address.address, port: address.port, url };
      validators.warm();
      if (health === undefined || options.health === undefined) return at;
      return { ...at, health: await health.listen(options.health.host, options.health.port) };
    },
    renewCertificate(material) {
      if (secure === undefined) throw new TlsError('this listener has no TLS');
      secure.renew(material);
    },
    inject: (request) => app.inject(request),
    async close() {
      const deadline = performance.now() + limits.shutdownMs;
      state.draining = true;
      for (const session of sessions) session.finish();
      // The end of a console may have come together with the word to stop: it is passed on first.
      await new Promise((resolve) => setImmediate(resolve));
      for (const socket of consoleSockets) socket.finish();
      endEventStreams(eventStreams);
      secure?.finish();
      await inFlight.drained(deadline - performance.now());
      while (sessions.size > 0 && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 10));
      for (const session of sessions) session.terminate();
      for (const socket of upgraded) socket.destroy();
      secure?.close();
      await Promise.all([app.close(), health?.close()]);
    },
  };
}

/** Adds what every command takes and gives; built when the document is asked for first. */
function withCommands<D extends { readonly components?: { readonly schemas?: object } }>(document: D): D {
  const schemas = { ...document.components?.schemas, ...commandSchemas() };
  return { ...document, components: { ...document.components, schemas } };
}

function createServer(limits: HttpLimits, secure: SecurePart | undefined, validators: RequestValidators): EdgeServer {
  const app = fastify({
    logger: false,
    bodyLimit: limits.bodyBytes,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveMs,
    forceCloseConnections: true,
    // After close() began our own gate refuses, with a problem document.
    return503OnClosing: false,
    routerOptions: { maxParamLength: 128, ignoreTrailingSlash: false, caseSensitive: true },
    clientErrorHandler: answerClientError,
    frameworkErrors: (_error, _request, reply) => void sendProblem(reply, transportProblem('badUrl')),
    ...(secure === undefined ? {} : { serverFactory: (handler: RequestListener) => secure.server(handler) }),
    http: {
      maxHeaderSize: limits.headerBytes,
      headersTimeout: limits.headersTimeoutMs,
      // Node looks for late requests only this often; its own default is 30 s.
      connectionsCheckingInterval: Math.min(1000, limits.headersTimeoutMs),
      insecureHTTPParser: false,
    },
    schemaController: { compilersFactory: { buildValidator: () => validators.compiler as never } },
  }).withTypeProvider<TypeBoxTypeProvider>();
  app.server.maxConnections = limits.connections;
  app.server.maxHeadersCount = 64;
  return app;
}

/**
 * Node's server forgets a connection once it asks for an upgrade: neither its time-outs nor its close() reach it. Those
 * that became no stream are dropped by a timer, which `ws` takes off when it takes one over.
 */
function trackUpgrades(app: EdgeServer, limits: HttpLimits): ReadonlySet<Duplex> {
  const upgraded = new Set<Duplex>();
  app.server.on('upgrade', (_request, socket: Socket) => {
    upgraded.add(socket);
    socket.once('close', () => upgraded.delete(socket));
    socket.setTimeout(limits.headersTimeoutMs, () => socket.destroy());
  });
  return upgraded;
}

/** Refusals that need no body, in front of every route. */
function addGates(app: EdgeServer, state: { readonly draining: boolean }, names: OwnNames): void {
  const whileDraining = new Set(['/healthz', '/readyz', '/metrics']);
  app.addHook('onRequest', (request, reply, done) => {
    reply.headers({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
    if (request.headers.dpop !== undefined) rememberProofUrl(request.raw, names);
    if (state.draining) {
      if (request.raw.httpVersionMajor < 2) reply.header('connection', 'close');
      if (!whileDraining.has(request.routeOptions.url ?? '')) {
        return void sendProblem(reply, transportProblem('shuttingDown'));
      }
    }
    if (isCoded(request.headers['content-encoding'])) return void sendProblem(reply, transportProblem('coded'));
    // A parameter that is ignored could be one that was meant to hold the command back.
    const { url } = request.routeOptions;
    if (request.url.includes('?') && url !== EVENTS_ROUTE) return void sendProblem(reply, transportProblem('query'));
    if (request.ws && url !== STREAM_ROUTE && url !== EVENTS_ROUTE && url !== CONSOLE_ROUTE) {
      return void sendProblem(reply, transportProblem('noUpgradeHere'));
    }
    done();
  });
}

/** A body of which nobody knows how large it is before it is unpacked. */
function isCoded(encoding: string | undefined): boolean {
  return encoding !== undefined && encoding.toLowerCase() !== 'identity';
}

/** Counts requests, times them, and writes the access log. */
function addAccounts(
  app: EdgeServer,
  parts: {
    readonly inFlight: InFlight;
    readonly idle: IdleConnections;
    readonly metrics: EdgeMetrics;
    readonly options: HttpEdgeOptions;
  },
): void {
  app.addHook('onRequest', (request, reply, done) => {
    parts.idle.touched(request.raw.socket);
    if (request.ws) return done();
    parts.inFlight.begin();
    // Known now; when the answer has left, the connection may be gone.
    const source = parts.options.log?.isLevelEnabled('debug') === true ? peerOf(request.raw).address : undefined;
    // `close` comes after the answer as well as after a client that went away.
    reply.raw.once('close', () => {
      parts.inFlight.end();
      const route = request.routeOptions.url ?? 'unmatched';
      const ms = reply.elapsedTime;
      parts.metrics.request(request.method, route, reply.statusCode, ms / 1000);
      parts.options.log?.debug(
        { method: request.method, route, status: reply.statusCode, ms: Math.round(ms), source },
        'request',
      );
    });
    done();
  });
  // Behind the body: who never finishes his own is no better than one who asks for nothing.
  app.addHook('preHandler', (request, reply, done) => {
    const rests = parts.idle.begin(request.raw.socket);
    // A stream is never idle: its own pings end it.
    if (!request.ws) reply.raw.once('close', rests);
    done();
  });
}
