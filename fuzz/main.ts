import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { addToCorpus, readCorpus, replaceCorpus, writeFinding } from './engine/corpus.ts';
import { type Report, supervise } from './engine/supervise.ts';
import { tableOf } from './table.ts';
import { type LoadedTarget, loadTarget, targetNames } from './targets.ts';

const usage = `npm run fuzz -- [TARGET...] [--seconds N] [--runs N] [--seed N] [--minimise | --dry] [--list]
npm run fuzz -- TARGET --replay FILE

Without a target: all of them. --seconds is for all together, 600 if not given; --runs is for each.
New inputs are added to test/fuzz/corpus/TARGET unless --dry; --minimise leaves there only what coverage needs.
Findings are written to fuzz/findings/TARGET; the exit code is 1 if there are any.`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string' },
    runs: { type: 'string' },
    seed: { type: 'string', default: '1' },
    minimise: { type: 'boolean', default: false },
    dry: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
    replay: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

const unknown = positionals.filter((name) => !targetNames.includes(name));
if (values.help || unknown.length > 0) {
  for (const name of unknown) console.error(`no target \`${name}\``);
  console.error(usage);
  process.exit(2);
}
const names = positionals.length > 0 ? positionals : targetNames;
const seed = wholeNumber('seed', values.seed);

if (values.list) {
  for (const name of names) console.log(`${name.padEnd(26)} ${(await loadTarget(name)).target.oracle}`);
  process.exit(0);
}
if (values.replay !== undefined) {
  for (const name of names) await replay(await loadTarget(name), readFileSync(values.replay));
  process.exit(0);
}

const maxRuns = values.runs === undefined ? undefined : wholeNumber('runs', values.runs);
const seconds =
  values.seconds === undefined ? (maxRuns === undefined ? 600 : undefined) : wholeNumber('seconds', values.seconds);
const rows: Report[] = [];
if (seconds === undefined) {
  for (const name of names) rows.push(await fuzz(name, { maxRuns }));
} else {
  // More than half of the time evenly; what is left goes to those that still find something new.
  const isSplit = names.length > 1;
  const evenMs = ((isSplit ? 0.6 : 1) * seconds * 1000) / names.length;
  for (const name of names) rows.push(await fuzz(name, { forMs: evenMs, maxRuns }));
  const novelty = rows.map(({ newFeatures }) => 1 + newFeatures);
  const all = novelty.reduce((sum, one) => sum + one, 0);
  for (const [index, name] of isSplit ? names.entries() : []) {
    const forMs = (0.4 * seconds * 1000 * (novelty[index] ?? 0)) / all;
    const first = rows[index];
    if (first !== undefined && forMs >= 1000) rows[index] = sum(first, await fuzz(name, { forMs, maxRuns }, 1));
  }
}
console.log(tableOf(rows));
process.exit(rows.some(({ findings }) => findings.length > 0) ? 1 : 0);

async function fuzz(
  name: string,
  budget: { readonly forMs?: number; readonly maxRuns?: number | undefined },
  round = 0,
): Promise<Report> {
  const { target, module } = await loadTarget(name);
  const corpus = readCorpus(target).map(({ bytes }) => bytes);
  const report = await supervise(module, target, corpus, {
    seed: seed + round * 1000,
    ...(budget.forMs === undefined ? {} : { forMs: budget.forMs }),
    ...(budget.maxRuns === undefined ? {} : { maxRuns: budget.maxRuns }),
  });
  if (!values.dry && report.findings.length === 0 && values.minimise) replaceCorpus(target, report.minimal);
  else if (!values.dry) addToCorpus(target, report.inputs);
  for (const finding of report.findings) {
    console.error(`${name}: ${finding.kind}: ${finding.message}\n  ${writeFinding(target, finding)}`);
  }
  const speed = Math.round((report.executions / report.elapsedMs) * 1000);
  console.error(
    `${name}: ${report.executions} executions, ${speed}/s, ${report.covered} blocks, ${report.inputs.length} new`,
  );
  return report;
}

function sum(first: Report, second: Report): Report {
  return {
    ...second,
    executions: first.executions + second.executions,
    elapsedMs: first.elapsedMs + second.elapsedMs,
    newFeatures: first.newFeatures + second.newFeatures,
    inputs: [...first.inputs, ...second.inputs],
    findings: [...first.findings, ...second.findings],
  };
}

async function replay({ target }: LoadedTarget, input: Uint8Array): Promise<void> {
  const harness = await target.open();
  await harness.run(input);
  await harness.close?.();
  console.log(`${target.name}: nothing to object to`);
}

function wholeNumber(name: string, text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  console.error(`--${name} takes a whole number, not \`${text}\``);
  process.exit(2);
}
