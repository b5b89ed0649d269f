import type { JournalFileSettings, SinkSettings } from './journal-schema.ts';

/** How the journal is kept, with absolute paths and every default written out. */
export interface JournalSettings {
  readonly segmentBytes: number;
  readonly segmentAgeMs: number;
  readonly durability: 'by-effect' | 'strict';
  readonly payloads: 'none' | 'masked' | 'all';
  /** Undefined: one in the state directory, made at the first start. */
  readonly signingKey: string | undefined;
  readonly witnesses: readonly string[];
  /** Each has a name. */
  readonly sinks: readonly (SinkSettings & { readonly name: string })[];
}

const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

export function journalSettings(
  content: JournalFileSettings | undefined,
  path: (relative: string) => string,
): JournalSettings {
  const age = content?.segment_age ?? '1d';
  return {
    segmentBytes: content?.segment_bytes ?? 64 << 20,
    segmentAgeMs: Number(age.slice(0, -1)) * (UNIT_MS[age.slice(-1)] ?? 0),
    durability: content?.durability ?? 'by-effect',
    payloads: content?.payloads ?? 'none',
    signingKey: content?.signing_key === undefined ? undefined : path(content.signing_key),
    witnesses: (content?.witness ?? []).map(({ file }) => path(file)),
    sinks: (content?.sinks ?? []).map((sink) => ({ ...withAbsolutePaths(sink, path), name: sinkName(sink) })),
  };
}

/** What is wrong with settings that are each well formed; places are below `journal`. */
export function journalContradictions(
  content: JournalFileSettings | undefined,
): readonly { readonly place: readonly (string | number)[]; readonly message: string }[] {
  const names = new Map<string, number>();
  return (content?.sinks ?? []).flatMap((sink, index) => {
    const name = sinkName(sink);
    const twin = names.get(name);
    names.set(name, index);
    const place = ['sinks', index];
    return [
      ...(twin === undefined
        ? []
        : [{ place, message: `sink ${twin} has the name \`${name}\` as well: give each a \`name\`` }]),
      ...(sink.kind === 'syslog' && sink.transport === 'udp' && sink.enforced !== undefined
        ? [{ place, message: 'nobody can tell whether UDP was delivered: enforce TCP or TLS' }]
        : []),
      ...(sink.kind === 'syslog' && sink.transport !== 'tls' && sink.ca_file !== undefined
        ? [{ place, message: '`ca_file` means nothing without TLS' }]
        : []),
    ];
  });
}

function sinkName(sink: SinkSettings): string {
  if (sink.name !== undefined) return sink.name;
  if (sink.kind === 'stdout') return 'stdout';
  return sink.kind === 'syslog' ? `syslog-${sink.transport}` : 'otlp';
}

function withAbsolutePaths(sink: SinkSettings, path: (relative: string) => string): SinkSettings {
  if (sink.kind === 'stdout') return sink;
  const ca = sink.ca_file === undefined ? {} : { ca_file: path(sink.ca_file) };
  if (sink.kind === 'syslog') return { ...sink, ...ca };
  const secret = sink.authorization_file === undefined ? {} : { authorization_file: path(sink.authorization_file) };
  return { ...sink, ...ca, ...secret };
}
