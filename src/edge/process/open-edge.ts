import type { Logger } from 'pino';
import type { CoreApi } from '../../broker/core-api.ts';
import { createHttpEdge, type HttpEdge, type HttpEdgeOptions } from '../http/index.ts';
import {
  createMctpMetrics,
  type MctpListenerSettings,
  type OpenMctpListener,
  openMctpListener,
  type TokenSource,
} from '../mctp/index.ts';
import type { TlsMaterial } from '../tls/index.ts';

/** All that an edge is told: plain data, so that it can be a process of its own. No path of a file is in it that it reads. */
export interface EdgeOptions {
  readonly version: string;
  readonly logLevel: string;
  readonly http: Pick<HttpEdgeOptions, 'tls' | 'publicUrl' | 'health'> & {
    readonly host: string;
    readonly port: number;
  };
  readonly listeners: readonly MctpListenerSettings[];
}

export interface EdgeAddresses {
  readonly http: {
    readonly host: string;
    readonly port: number;
    readonly url: string;
    readonly health?: { readonly host: string; readonly port: number };
  };
  /** In the order of the options. */
  readonly listeners: readonly { readonly host: string; readonly port: number }[];
}

/** Certificates that are in force from now on. */
export interface EdgeMaterial {
  readonly http?: TlsMaterial;
  /** By the place of the listener. */
  readonly listeners?: { readonly [place: string]: TlsMaterial };
}

export interface OpenEdge {
  readonly addresses: EdgeAddresses;
  /** @throws TlsError where it cannot be used: what is in force stays */
  renew(material: EdgeMaterial): void;
  /** Refuses what is new, finishes what is under way, closes every connection. */
  close(): Promise<void>;
}

export interface EdgeParts {
  readonly log: Logger;
  /** Where the token of a listener comes from, by what its settings call it; the file of that name if not given. */
  readonly tokens?: (name: string, onProblem: (problem: string) => void) => TokenSource;
}

/** One of the addresses cannot be listened on. */
export class EdgeListenError extends Error {
  readonly code = 'ELISTEN';
  readonly door: 'http' | 'mctp';
  /** `HOST:PORT` */
  readonly where: string;
  /** What the system says: EADDRINUSE, EACCES. */
  readonly why: string;

  constructor(door: 'http' | 'mctp', where: string, why: string) {
    super(`cannot listen at ${where} (${why})`);
    this.name = 'EdgeListenError';
    this.door = door;
    this.where = where;
    this.why = why;
  }
}

/**
 * Every listener of a broker, listening: in this process, whichever that is.
 *
 * @throws EdgeListenError, TlsError
 */
export async function openEdge(core: CoreApi, options: EdgeOptions, parts: EdgeParts): Promise<OpenEdge> {
  const { host, port, ...http } = options.http;
  const metrics = createMctpMetrics();
  const edge: HttpEdge = createHttpEdge(core, {
    ...http,
    log: parts.log,
    version: options.version,
    moreMetrics: () => metrics.text(),
  });
  const listeners: OpenMctpListener[] = [];
  const close = async (): Promise<void> => {
    await Promise.all([edge.close(), ...listeners.map((listener) => listener.close())]);
  };
  try {
    const address = await edge.listen(host, port).catch(listenFailed('http', host, port));
    for (const one of options.listeners) {
      const opened = openMctpListener(core, one, { ...parts, metrics });
      listeners.push(await opened.catch(listenFailed('mctp', one.host, one.port)));
    }
    return {
      addresses: { http: address, listeners: listeners.map((one) => ({ host: one.host, port: one.port })) },
      renew(material) {
        if (material.http !== undefined) edge.renewCertificate(material.http);
        for (const [place, one] of Object.entries(material.listeners ?? {})) {
          listeners[Number(place)]?.renewCertificate(one);
        }
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function listenFailed(door: 'http' | 'mctp', host: string, port: number) {
  return (error: unknown): never => {
    const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
    // What is no answer of the system's says more by itself.
    if (code === undefined || !/^E[A-Z]+$/.test(code) || code === 'ETLS') throw error;
    throw new EdgeListenError(door, `${host}:${port}`, code);
  };
}
