import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { safe, safeJson } from '../safe-text.ts';
import { LocalError, UsageError } from '../usage-error.ts';
import { eachDecision, journalPath } from './journal-records.ts';
import { openedPolicy, type PolicyFlags, policyFiles } from './opened.ts';
import { count } from './words.ts';

export interface LearnFlags extends PolicyFlags {
  readonly json?: boolean;
  readonly journal?: string;
  readonly tenant: string;
  readonly generalize?: string;
}

const ALLOWANCE_MAX = 1_000_000;

/** `cci policy learn`: the least grants that cover what the callers of a tenant have used, as `tenants/T.csv`. */
export async function learn(io: Io, flags: LearnFlags): Promise<ExitCode> {
  const { tenant } = flags;
  const allowance = flags.generalize === undefined ? undefined : allowanceOf(flags.generalize);
  const files = await policyFiles(flags);
  const current = await openedPolicy(files);
  const { tenants } = current.fabric;
  if (!tenants.includes(tenant)) {
    throw new UsageError(
      `there is no tenant \`${tenant}\` in the fabric file`,
      `the tenants are ${tenants.join(', ')}`,
    );
  }
  const { learn: learned, learnedCsv, UsageCollector } = await import('../../policy/learn/index.ts');
  const collector = new UsageCollector(current, tenant);
  const path = journalPath(flags.journal, files.config.stateDirectory);
  const { unreadable } = await eachDecision(io, path, (record) =>
    collector.take(record as unknown as Parameters<typeof collector.take>[0]),
  );
  const found = await learned(current, tenant, collector.usage(), allowance);
  if (unreadable > 0)
    io.err(`${count(unreadable, 'line')} of the journal can't be read: \`cci audit verify\` says which\n`);
  if (found.roles.length === 0) {
    throw new LocalError(
      `the journal has no command that a caller of \`${tenant}\` was allowed`,
      "name the file or directory with --journal, and check that it is the broker's own",
    );
  }
  const { usage, ...rest } = found;
  const rows = learnedCsv(found, { snapshot: current.engine.id, allowance });
  if (flags.json === true) {
    const { deciding, ...told } = usage;
    io.out(`${safeJson({ ...rest, usage: { ...told, deciding: [...deciding] }, csv: rows })}\n`);
  } else io.out(`${rows.split('\n').map(safe).join('\n')}`);
  io.err(
    `${count(
      found.roles.reduce((sum, { proposals }) => sum + proposals.length, 0),
      'grant',
    )} for ${count(found.roles.length, 'name')}; ` +
      `${count(found.unused.length, 'row')} of the policy decided nothing\n`,
  );
  return EXIT.done;
}

function allowanceOf(text: string): number {
  const number = /^\d{1,7}$/.test(text) ? Number(text) : Number.NaN;
  if (number <= ALLOWANCE_MAX) return number;
  throw new UsageError(`\`${text}\` is not a number of pairs`, `give 0 to ${ALLOWANCE_MAX.toLocaleString('en')}`);
}
