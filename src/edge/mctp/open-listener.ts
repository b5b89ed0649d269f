import type { Logger } from 'pino';
import type { CoreApi } from '../../broker/core-api.ts';
import type { Dialect } from '../../cci/index.ts';
import type { TlsMaterial } from '../tls/index.ts';
import { coreRelay, relayByCertificate } from './core-relay.ts';
import { createMctpListener, type MctpListener } from './listener.ts';
import type { MctpMetrics } from './metrics.ts';
import type { MctpLimits } from './options.ts';
import { FileToken, type TokenSource } from './token-source.ts';
import { endpointUuid } from './uuid.ts';

/** A listener as the configuration has it: plain data, so that another process can be told to open it. */
export interface MctpListenerSettings {
  readonly host: string;
  readonly port: number;
  readonly dialect: Dialect;
  readonly switch: string;
  /** One without a certificate, or one for each certificate that is let in. */
  readonly bindings: readonly {
    readonly certificate?: string;
    readonly tenant: string;
    readonly principal?: string;
    readonly tokenFile: string;
  }[];
  readonly limits?: Partial<MctpLimits>;
  readonly tls?: TlsMaterial;
}

export interface OpenMctpListener extends MctpListener {
  readonly host: string;
  readonly port: number;
}

/**
 * A listener that speaks for those whom the configuration names, listening.
 * @throws the errors of `listen` (EADDRINUSE, EACCES); TlsError
 */
export async function openMctpListener(
  core: CoreApi,
  settings: MctpListenerSettings,
  parts: {
    readonly log?: Logger;
    readonly metrics?: MctpMetrics;
    /** Where the token of a binding comes from, by its `tokenFile`; that file if not given. */
    readonly tokens?: (tokenFile: string, onProblem: (problem: string) => void) => TokenSource;
  } = {},
): Promise<OpenMctpListener> {
  const { host, port, dialect, bindings, limits, tls } = settings;
  const relays = bindings.map(({ certificate, tenant, principal, tokenFile }) => {
    const say = (problem: string): void => parts.log?.error(`MCTP listener of ${tenant}: ${problem}`);
    const relay = coreRelay(core, {
      switch: settings.switch,
      tenant,
      ...(principal === undefined ? {} : { principal }),
      tokens: parts.tokens?.(tokenFile, say) ?? new FileToken(tokenFile, say),
      onProblem: (problem) => say(`requests are refused: ${problem}`),
    });
    return [certificate ?? '', relay] as const;
  });
  const byCertificate = new Map(relays);
  const one = byCertificate.get('');
  const listener = createMctpListener({
    dialect,
    uuid: endpointUuid(`${settings.switch} ${bindings.map(({ tenant }) => tenant).join(' ')}`),
    relay: one ?? relayByCertificate(byCertificate),
    ...(limits === undefined ? {} : { limits }),
    ...(tls === undefined
      ? {}
      : { tls: { material: tls, ...(one === undefined ? { certificates: [...byCertificate.keys()] } : {}) } }),
    ...(parts.metrics === undefined ? {} : { counts: parts.metrics.of(`${host}:${port}`) }),
  });
  const bound = await listener.listen(host, port);
  return {
    ...bound,
    get connections() {
      return listener.connections;
    },
    listen: (at, on) => listener.listen(at, on),
    renewCertificate: (material) => listener.renewCertificate(material),
    close: () => listener.close(),
  };
}
