import type { Logger } from 'pino';
import type { BrokerConfig } from '../broker/config/index.ts';
import type { HttpTls, TlsFiles, TlsMaterial, TlsPaths } from '../edge/index.ts';
import { LocalError } from './usage-error.ts';

/** The certificates of all listeners, read and looked after. */
export interface Certificates {
  /** Of the HTTP listener; undefined where it has no TLS. */
  readonly http: HttpTls | undefined;
  /** Of the n-th of `listeners`. */
  listener(index: number): TlsMaterial | undefined;
  /** Called with the certificate that is in force from now on. */
  onHttpChange(listener: (material: TlsMaterial) => void): void;
  onListenerChange(index: number, listener: (material: TlsMaterial) => void): void;
  /** Reads all files again, now. A sentence for each change and each problem. */
  reload(): Promise<readonly string[]>;
  close(): void;
}

/** Opens the files that the configuration names: none in the one that comes with the project. @throws LocalError */
export async function openCertificates(config: BrokerConfig, log: Logger): Promise<Certificates> {
  const { tls } = config.http;
  const http = tls === undefined ? undefined : await opened('http.tls', tls, log);
  const listeners: (TlsFiles | undefined)[] = [];
  for (const [i, { tls: paths }] of config.listeners.entries()) {
    listeners.push(paths === undefined ? undefined : await opened(`listeners.${i}.tls`, paths, log));
  }
  const all: readonly (readonly [string, TlsFiles | undefined])[] = [
    ['http', http],
    ...listeners.map((files, i) => [`listener ${i}`, files] as const),
  ];
  return {
    // As it is now: a listener that is opened again later gets what was renewed meanwhile.
    get http() {
      if (http === undefined || tls === undefined) return undefined;
      return { material: http.material, clientCertificates: tls.clientCertificates };
    },
    listener: (index) => listeners[index]?.material,
    onHttpChange: (listener) => http?.onChange(listener),
    onListenerChange: (index, listener) => listeners[index]?.onChange(listener),
    async reload() {
      const looks = await Promise.all(
        all.map(async ([name, files]) => {
          const look = await files?.look(true);
          if (look?.problem !== undefined) return [`the certificate of ${name} in force stays: ${look.problem}`];
          return look?.changed === true ? [`the certificate of ${name} was loaded again`] : [];
        }),
      );
      return looks.flat();
    },
    close() {
      for (const [, files] of all) files?.close();
    },
  };
}

async function opened(place: string, paths: TlsPaths, log: Logger): Promise<TlsFiles> {
  const { TlsError, TlsFiles } = await import('../edge/tls/index.ts');
  return TlsFiles.open(paths, { log }).catch((error: unknown) => {
    if (!(error instanceof TlsError)) throw error;
    throw new LocalError(`\`${place}\` cannot be used: ${error.message}`, 'mend it, then start again');
  });
}
