import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import {
  type Coverage,
  type FailedCase,
  readSuite,
  runSuites,
  type Suite,
  type SuiteReport,
} from '../../policy/tools.ts';
import { type FileProblem, formatProblem } from '../../yaml/index.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { type Paint, paint } from '../paint.ts';
import { safe, safeJson } from '../safe-text.ts';
import { LocalError, UsageError } from '../usage-error.ts';
import { openedPolicy, type PolicyFlags, policyFiles } from './opened.ts';

export interface TestFlags extends PolicyFlags {
  readonly coverage?: boolean;
  readonly coverageMin?: string;
  readonly json?: boolean;
}

/** `cci policy test [SUITE...]`: test suites against a policy, without a broker. Ends with 1 when a case fails. */
export async function testPolicy(io: Io, operands: readonly string[], flags: TestFlags): Promise<ExitCode> {
  const least = percentOf(flags.coverageMin);
  const files = await policyFiles(flags);
  const policy = await openedPolicy(files);
  const named = suiteFiles(operands.length > 0 ? operands : [join(files.directory, 'tests')]);
  const suites: Suite[] = [];
  const problems: FileProblem[] = [];
  for (const file of named) {
    const read = readSuite(textOf(file), shown(file), policy.fabric, policy.commands);
    if (read.ok) suites.push(read.suite);
    // Not spread: a file may have more mistakes than a call has arguments.
    else for (const problem of read.problems) problems.push(problem);
  }
  if (problems.length > 0) return malformed(io, problems, flags.json === true);
  const report = await runSuites(policy, suites, { profile: files.profile });
  const covered = least === undefined || report.coverage.percent >= least;
  const passed = report.failed.length === 0 && covered;
  if (flags.json === true) io.out(`${safeJson({ ok: passed, ...report })}\n`);
  else {
    io.out(readable(report, flags, paint(io)));
    if (!covered) io.err(`the coverage is below ${least} %\n`);
  }
  return passed ? EXIT.done : EXIT.failed;
}

function percentOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const percent = /^\d{1,3}(?:\.\d+)?$/.test(text) ? Number(text) : 101;
  if (percent > 100) throw new UsageError(`\`${text}\` is no percentage`, 'give --coverage-min 0 to 100');
  return percent;
}

/** Directories stand for the YAML files in them. */
function suiteFiles(names: readonly string[]): readonly string[] {
  return names.flatMap((name) => {
    const entries = attempt(name, () => (statSync(name).isDirectory() ? readdirSync(name).toSorted() : undefined));
    if (entries === undefined) return [name];
    const suites = entries.filter((entry) => /^[^.].*\.ya?ml$/.test(entry)).map((entry) => join(name, entry));
    if (suites.length === 0) throw new LocalError(`there is no suite in \`${name}\``, 'a suite is a file NAME.yaml');
    return suites;
  });
}

function textOf(file: string): string {
  return attempt(file, () => readFileSync(file, 'utf8'));
}

function attempt<T>(name: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    const code = String((error as NodeJS.ErrnoException).code);
    throw new LocalError(`\`${name}\` cannot be read (${code})`, 'name a suite, or a directory of suites');
  }
}

function shown(file: string): string {
  const short = relative('', file);
  return short.startsWith('..') ? file : short;
}

function malformed(io: Io, problems: readonly FileProblem[], json: boolean): ExitCode {
  if (json) io.out(`${safeJson({ ok: false, problems })}\n`);
  else {
    io.out(problems.map((problem) => `${safe(formatProblem(problem))}\n`).join(''));
    io.err(`${problems.length === 1 ? 'a mistake' : `${problems.length} mistakes`} in the suites: nothing was run\n`);
  }
  return EXIT.failed;
}

function readable(report: SuiteReport, flags: TestFlags, colours: Paint): string {
  const { cases, passed, failed, suites, coverage } = report;
  const summary = `${passed} of ${cases} cases of ${suites} ${suites === 1 ? 'suite' : 'suites'} passed`;
  return [
    ...failed.map((one) => failure(one, colours)),
    failed.length === 0 ? colours.green(summary) : colours.red(`${summary}, ${failed.length} failed`),
    '\n',
    ...(flags.coverage === true || flags.coverageMin !== undefined ? [covered(coverage)] : []),
  ].join('');
}

function failure({ file, line, column, name, differences, explanation }: FailedCase, colours: Paint): string {
  const why = explanation.parts.filter(({ title }) => title === 'What decided' || title.startsWith('What would'));
  return [
    `${colours.red('failed')} ${safe(`${file}:${line}:${column}: ${name}`)}\n`,
    ...differences.map(({ what, expected, got }) => `  ${what}: expected ${safe(expected)}, got ${safe(got)}\n`),
    ...why.flatMap(({ sentences }) => sentences.map((sentence) => `    ${safe(sentence)}\n`)),
    '\n',
  ].join('');
}

function covered({ rows, covered: count, percent, uncovered }: Coverage): string {
  const head = `${count} of ${rows} rows decided a case (${percent} %)\n`;
  if (uncovered.length === 0) return head;
  return `${head}rows that decided none:\n${uncovered.map(({ source, text }) => `  ${safe(`${source}: ${text}`)}\n`).join('')}`;
}
