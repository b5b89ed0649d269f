import { FABRIC_TENANT } from '../../policy/index.ts';
import type { ConsoleFile } from './console-schema.ts';

/** One program with every default written out. */
export interface ConsoleProgramSettings {
  readonly name: string;
  readonly title: string;
  readonly path: string;
  readonly arguments: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly user?: string;
  readonly group?: string;
  readonly workingDirectory: string;
  readonly switch: string;
  /** Only callers of this tenant open it. */
  readonly tenant: string;
  readonly limits: {
    readonly timeMs: number;
    readonly idleMs: number;
    readonly outputBytes: number;
    readonly memoryBytes: number;
    readonly processes: number;
    readonly files: number;
  };
}

/** The section `console` with absolute paths and every default written out. */
export interface ConsoleSettings {
  readonly programs: ReadonlyMap<string, ConsoleProgramSettings>;
  readonly approval: 'none' | 'required';
  readonly approvalMs: number;
  readonly watcher: 'none' | 'required';
  readonly watcherMs: number;
  readonly whileOpen: 'wait' | 'refuse';
  readonly resumeMs: number;
  readonly recording: {
    /** Undefined: `recordings` in the state directory. */
    readonly directory: string | undefined;
    readonly publicKeyFile: string | undefined;
  };
}

export function consoleSettings(content: ConsoleFile, path: (relative: string) => string): ConsoleSettings {
  const { recording } = content;
  return {
    programs: new Map(Object.entries(content.programs).map(([name, program]) => [name, programOf(name, program)])),
    approval: content.approval ?? 'none',
    approvalMs: content.approval_ms ?? 600_000,
    watcher: content.watcher ?? 'none',
    watcherMs: content.watcher_ms ?? 60_000,
    whileOpen: content.while_open ?? 'wait',
    resumeMs: content.resume_ms ?? 60_000,
    recording: {
      directory: recording?.directory === undefined ? undefined : path(recording.directory),
      publicKeyFile: recording?.public_key_file === undefined ? undefined : path(recording.public_key_file),
    },
  };
}

function programOf(name: string, program: ConsoleFile['programs'][string]): ConsoleProgramSettings {
  const { limits } = program;
  return {
    name,
    title: program.title ?? name,
    path: program.path,
    arguments: program.arguments ?? [],
    environment: program.environment ?? {},
    ...(program.user === undefined ? {} : { user: program.user }),
    ...(program.group === undefined ? {} : { group: program.group }),
    workingDirectory: program.working_directory ?? '/',
    switch: program.switch,
    tenant: program.tenant ?? FABRIC_TENANT,
    limits: {
      timeMs: limits?.time_ms ?? 3_600_000,
      idleMs: limits?.idle_ms ?? 900_000,
      outputBytes: limits?.output_bytes ?? 2 ** 28,
      memoryBytes: limits?.memory_bytes ?? 2 ** 30,
      processes: limits?.processes ?? 64,
      files: limits?.files ?? 256,
    },
  };
}

/** Tenants that programs belong to: the fabric file has to have them. */
export function consoleTenants(content: ConsoleFile | undefined): readonly string[] {
  return Object.values(content?.programs ?? {}).flatMap(({ tenant }) => (tenant === undefined ? [] : [tenant]));
}

/** What is wrong with settings that are each well formed; places are below `console`. */
export function consoleContradictions(
  content: ConsoleFile | undefined,
  switches: readonly string[],
): readonly { readonly place: readonly (string | number)[]; readonly message: string }[] {
  if (content === undefined) return [];
  const problems: { readonly place: readonly (string | number)[]; readonly message: string }[] = [];
  for (const [name, program] of Object.entries(content.programs)) {
    const place = ['programs', name];
    if (!switches.includes(program.switch)) {
      problems.push({ place: [...place, 'switch'], message: `there is no switch \`${program.switch}\` in this file` });
    }
    if (program.group !== undefined && program.user === undefined) {
      problems.push({ place: [...place, 'group'], message: '`group` means nothing without `user`' });
    }
    if (program.environment?.CCI_CONSOLE_SESSION !== undefined) {
      problems.push({
        place: [...place, 'environment'],
        message: '`CCI_CONSOLE_SESSION` is the mark of a session: leave it out',
      });
    }
  }
  return problems;
}
