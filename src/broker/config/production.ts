import type { FilePath } from '../../yaml/index.ts';
import { type NamedFiles, plainTextSinks } from './exposed-files.ts';
import { journalSettings } from './journal-settings.ts';
import type { BrokerConfig } from './load.ts';
import type { BrokerConfigFile } from './schema.ts';

/** What a production profile does not start with, as far as the file itself says it. Told all at once. */
export function productionContradictions(
  content: BrokerConfigFile,
  isLoopback: (host: string) => boolean,
): readonly { readonly place: FilePath; readonly message: string }[] {
  const problems: { place: FilePath; message: string }[] = [];
  if (content.raw_commands === 'taints-this-switch') {
    problems.push({ place: ['raw_commands'], message: 'a production profile cannot turn raw commands on (R18)' });
  }
  if (content.raw_allow_all) problems.push({ place: ['raw_allow_all'], message: 'not in a production profile' });
  content.issuers.forEach((issuer, i) => {
    if ('kind' in issuer && issuer.kind === 'development') {
      const message = 'the development issuer is not for production: name a real issuer';
      problems.push({ place: ['issuers', i], message });
    }
    if (issuer.jwks_insecure_loopback === true) {
      const message = 'keys that come without TLS are not for production';
      problems.push({ place: ['issuers', i, 'jwks_insecure_loopback'], message });
    }
  });
  if (content.journal?.signing_key === undefined) {
    problems.push({
      place: content.journal === undefined ? [] : ['journal'],
      message:
        'a journal signed with a key that was made beside it proves nothing to anybody else: name `journal.signing_key`, ' +
        'and keep what `cci audit key` prints elsewhere',
    });
  }
  const { sinks } = journalSettings(content.journal, (path) => path);
  for (const { index, message } of plainTextSinks(sinks, isLoopback)) {
    problems.push({ place: ['journal', 'sinks', index], message });
  }
  for (const [name, { backend }] of Object.entries(content.switches)) {
    if (backend.kind !== 'mctp-tcp' || isLoopback(backend.host)) continue;
    const message =
      `commands go to \`${backend.host}\` in plain text, and whoever is on the way can send his own: ` +
      'have a tunnel with TLS end on this machine, and name 127.0.0.1';
    problems.push({ place: ['switches', name, 'backend', 'host'], message });
  }
  return problems;
}

/** The files of a configuration that nobody else may change, or read. */
export function namedFiles(config: BrokerConfig): NamedFiles {
  const { journal, http, listeners, issuers, console } = config;
  const optional = (paths: readonly (string | undefined)[]) => paths.filter((path) => path !== undefined);
  return {
    trusted: optional([
      config.file,
      config.fabric,
      http.tls?.certificate,
      http.tls?.clientCa,
      ...listeners.flatMap(({ tls }) => [tls?.certificate, tls?.clientCa]),
      ...issuers.flatMap((issuer) => [issuer.jwks_file, issuer.jwks_ca_file]),
      ...journal.sinks.map((sink) => (sink.kind === 'stdout' ? undefined : sink.ca_file)),
      console?.recording.publicKeyFile,
    ]),
    trustedTrees: optional([config.policyDirectory, config.shadow?.directory]),
    secret: optional([
      journal.signingKey,
      http.tls?.key,
      ...listeners.flatMap(({ tls, bindings }) => [tls?.key, ...bindings.map(({ tokenFile }) => tokenFile)]),
      ...journal.sinks.map((sink) => (sink.kind === 'otlp' ? sink.authorization_file : undefined)),
    ]),
    privateDirectories: [config.stateDirectory],
  };
}
