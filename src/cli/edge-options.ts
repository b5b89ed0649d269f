import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { BrokerConfig } from '../broker/config/index.ts';
import type { EdgeAddresses, EdgeOptions } from '../edge/index.ts';
import type { Certificates } from './certificates.ts';

/** The listeners of a configuration, for the process that holds them. */
export function edgeOptions(config: BrokerConfig, certificates: Certificates, version: string): EdgeOptions {
  const { host, port, publicUrl, health } = config.http;
  return {
    version,
    logLevel: config.logLevel,
    http: {
      host,
      port,
      ...(certificates.http === undefined ? {} : { tls: certificates.http }),
      ...(publicUrl === undefined ? {} : { publicUrl }),
      ...(health === undefined ? {} : { health }),
    },
    listeners: config.listeners.map(({ tls: paths, kind: _kind, ...one }, i) => {
      const tls = certificates.listener(i);
      if (paths !== undefined && tls === undefined) throw new Error('a listener with TLS needs its certificate');
      return { ...one, ...(tls === undefined ? {} : { tls }) };
    }),
  };
}

/**
 * The same for a process that can look up no names and read no files: addresses in digits, tokens by number. An edge that
 * follows another one listens where that did, so that clients find it again.
 */
export async function optionsForProcess(options: EdgeOptions, before: EdgeAddresses | undefined): Promise<EdgeOptions> {
  const { http } = options;
  const health = before?.http.health ?? http.health;
  return {
    ...options,
    http: {
      ...http,
      ...(await inDigits(before?.http ?? http)),
      ...(health === undefined ? {} : { health: await inDigits(health) }),
    },
    listeners: await Promise.all(
      options.listeners.map(async (one, i) => ({
        ...one,
        ...(await inDigits(before?.listeners[i] ?? one)),
        bindings: one.bindings.map((binding, j) => ({ ...binding, tokenFile: tokenName(i, j) })),
      })),
    ),
  };
}

/** Under this name a confined edge asks for the token of a listener's binding. */
function tokenName(listener: number, binding: number): string {
  return `${listener}.${binding}`;
}

/** The files behind those names. */
export function tokenFiles(options: EdgeOptions): ReadonlyMap<string, string> {
  return new Map(
    options.listeners.flatMap(({ bindings }, i) =>
      bindings.map(({ tokenFile }, j) => [tokenName(i, j), tokenFile] as const),
    ),
  );
}

/** Every TCP port that it listens on; 0 is a free one. */
export function portsOf({ http, listeners }: EdgeOptions): readonly number[] {
  const health = http.health === undefined ? [] : [http.health.port];
  return [http.port, ...health, ...listeners.map(({ port }) => port)];
}

async function inDigits(at: { readonly host: string; readonly port: number }) {
  const { host, port } = at;
  return { host: isIP(host) === 0 ? (await lookup(host)).address : host, port };
}
