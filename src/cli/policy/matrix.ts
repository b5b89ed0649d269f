import { writeFile } from 'node:fs/promises';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { paint } from '../paint.ts';
import { safe, safeJson } from '../safe-text.ts';
import { table } from '../table.ts';
import { LocalError, UsageError } from '../usage-error.ts';
import { matrixPage } from './matrix-page.ts';
import { openedPolicy, type PolicyFlags, policyFiles } from './opened.ts';
import { count, few } from './words.ts';

export interface MatrixFlags extends PolicyFlags {
  readonly json?: boolean;
  readonly html?: string;
  readonly tenant?: string;
  readonly command?: string;
  readonly resource?: string;
}

/** `cci policy matrix [DIR]`: who can do what, as a table, as JSON, or as a page of its own. */
export async function matrix(io: Io, directory: string | undefined, flags: MatrixFlags): Promise<ExitCode> {
  const files = await policyFiles(directory === undefined ? flags : { ...flags, policy: directory });
  const opened = await openedPolicy(files);
  const { matrixOf, parseMatrixFilter } = await import('../../policy/meaning/index.ts');
  const parsed = parseMatrixFilter(flags, opened.engine);
  if (!parsed.ok) throw new UsageError(parsed.problem.message, parsed.problem.help);
  const found = await matrixOf(opened, files.profile, parsed.filter);
  if (flags.html !== undefined) {
    const path = flags.html;
    await writeFile(
      path,
      matrixPage(found, { tenant: flags.tenant, command: flags.command, resource: flags.resource }),
      {
        mode: 0o644,
      },
    ).catch((error: unknown) => {
      const why = error instanceof Error ? error.message : String(error);
      throw new LocalError(`the page can't be written: ${why}`, 'name a file in a directory that is there');
    });
    io.err(`wrote ${safe(path)}\n`);
  }
  if (flags.json === true) io.out(`${safeJson(found)}\n`);
  else if (flags.html === undefined) io.out(text(io, found));
  return EXIT.done;
}

type Found = Awaited<ReturnType<typeof import('../../policy/meaning/index.ts').matrixOf>>;

function text(io: Io, found: Found): string {
  const colours = paint(io);
  const everybody = new Set<string>();
  const parts = [...new Set(found.rows.map(({ tenant }) => tenant))].map((tenant) => {
    everybody.add(`group:tenant/${tenant}`);
    const rows = found.rows.filter((row) => row.tenant === tenant);
    const lines = table(
      [
        { title: 'WHO', cell: ({ who, also }) => whoText(who, also, everybody) },
        { title: '', cell: ({ kind }) => (kind === 'may' ? 'may' : 'may NOT') },
        { title: 'COMMANDS', cell: ({ commands }) => few(commands) },
        { title: 'ON', cell: ({ resources }) => few(resources, 4) },
        { title: 'BY', cell: ({ sources }) => few(sources, 4) },
      ],
      rows,
      colours,
    );
    return `${colours.bold(`tenant ${safe(tenant)}`)}\n${lines}`;
  });
  const none = found.without.length === 0 ? [] : [`nothing for anybody of ${few(found.without, 20)}\n`];
  const end = `profile ${found.profile}, snapshot ${found.snapshot.slice(0, 12)}, ${count(found.rows.length, 'row')}\n`;
  return [...parts, ...none, end].join('\n');
}

function whoText(who: string, also: readonly string[], everybody: ReadonlySet<string>): string {
  const name = everybody.has(who) ? 'everybody' : who;
  return also.length === 0 ? name : `${name} and ${count(also.length, 'other')}`;
}
