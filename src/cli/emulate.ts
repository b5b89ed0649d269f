import { readFile } from 'node:fs/promises';
import type { FaultRule } from '../backend/emulator/index.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import type { Io } from './io.ts';
import { LocalError, UsageError } from './usage-error.ts';

export interface EmulateFlags {
  readonly topology: string;
  readonly listen?: string;
  readonly dialect?: string;
  readonly seed?: string;
  readonly support?: string;
  readonly faults?: string;
}

/** `cci emulate`: the bare emulated switch on the wire, without a broker. Ends at SIGINT or SIGTERM. */
export async function emulate(io: Io, flags: EmulateFlags): Promise<ExitCode> {
  const dialect = flags.dialect ?? 'spec';
  if (dialect !== 'spec' && dialect !== 'jackrabbit') {
    throw new UsageError(`there is no dialect \`${dialect}\``, 'give spec or jackrabbit');
  }
  const { DEFAULT_MCTP_PORT, serveEmulator, TopologyError } = await import('../backend/emulator/index.ts');
  const { host, port } = parseListen(flags.listen ?? `127.0.0.1:${DEFAULT_MCTP_PORT}`);
  const served = await serveEmulator({
    topology: flags.topology,
    host,
    port,
    dialect,
    // On the wire a tunnel stands for a device's own mailbox too: tools have no other way to it.
    support: flags.support === 'strict' ? 'strict' : 'all',
    ...(flags.seed === undefined ? {} : { seed: parseSeed(flags.seed) }),
    ...(flags.faults === undefined ? {} : { faults: await readFaults(flags.faults) }),
  }).catch((error: unknown) => {
    if (error instanceof TopologyError) {
      throw new LocalError(`the topology \`${flags.topology}\` cannot be used`, 'mend it', error.message.split('\n'));
    }
    const why = error instanceof Error ? error.message : String(error);
    throw new LocalError(`cannot serve the emulator: ${why}`, 'name another address with --listen');
  });
  const { address } = served;
  io.err(
    `emulated switch: MCTP over TCP at ${address.host}:${address.port}, dialect ${dialect}\n` +
      'the protocol has neither authentication nor encryption: whoever connects commands the switch\n',
  );
  const told = io.untilTold();
  await new Promise<void>((resolve) => told.addEventListener('abort', () => resolve(), { once: true }));
  await served.close();
  return EXIT.done;
}

/** Faults for rehearsal: a YAML file with a list under `faults`, as docs/emulator.md describes them. */
async function readFaults(path: string): Promise<FaultRule[]> {
  const [{ faultRuleSchema }, { formatProblem, parseYaml }, { Type }] = await Promise.all([
    import('../backend/emulator/index.ts'),
    import('../yaml/index.ts'),
    import('../schema/index.ts'),
  ]);
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new LocalError(`cannot read \`${path}\``, 'name a file with --faults', [String(error)]);
  });
  const schema = Type.Object({ faults: Type.Array(faultRuleSchema) }, { additionalProperties: false });
  const parsed = parseYaml(schema, text, path);
  if (!parsed.ok) {
    throw new LocalError(`the faults in \`${path}\` cannot be used`, 'mend them', parsed.problems.map(formatProblem));
  }
  return parsed.value.content.faults;
}

/** `HOST:PORT`, `[IPV6]:PORT` or `:PORT`. */
export function parseListen(text: string): { readonly host: string; readonly port: number } {
  const found = /^(?:\[([0-9a-fA-F:]+)\]|([^:\s[\]]*)):(\d{1,5})$/.exec(text);
  const port = Number(found?.[3]);
  if (found === null || port > 65535) {
    throw new UsageError(`\`${text}\` is not an address to listen on`, 'it looks like 127.0.0.1:2508');
  }
  return { host: found[1] ?? (found[2] || '127.0.0.1'), port };
}

function parseSeed(text: string): number {
  if (/^\d{1,10}$/.test(text) && Number(text) <= 0xffff_ffff) return Number(text);
  throw new UsageError(`\`${text}\` is not a seed`, 'give 0 to 4294967295');
}
