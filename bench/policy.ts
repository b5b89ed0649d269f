import { spawnSync } from 'node:child_process';
import { engines } from './policy/engines.ts';
import { type Figures, measure } from './policy/measure.ts';
import { workloadOf } from './policy/workload.ts';
import { report, table } from './report.ts';

/**
 * The policy engine beside casbin's own full enforcer and Cedar in WebAssembly, on the same rules and questions. Each
 * engine at each size is measured in a process of its own.
 *
 *   node bench/policy.ts [--quick] [--print]
 */
const SIZES = process.argv.includes('--quick') ? [100, 10_000] : [100, 1000, 10_000, 110_000];
const QUESTIONS = 12_000;
const [, , role, name, size] = process.argv;

if (role === 'one') {
  const engine = engines.find((one) => one.name === name);
  if (engine === undefined) throw new Error(`no engine ${name}`);
  console.log(JSON.stringify(await measure(engine, workloadOf(Number(size), QUESTIONS))));
} else {
  const all: Figures[] = [];
  for (const rules of SIZES) for (const engine of engines) all.push(typical(engine.name, rules));
  const ours = all.filter(({ engine }) => engine === 'ours');
  const [small, large] = [ours.at(0), ours.at(-1)];
  const ratio = (pick: (figures: Figures) => number) =>
    small === undefined || large === undefined ? Number.NaN : pick(large) / pick(small);
  report('Policy engine', [
    '`node bench/policy.ts`: ten tenants, one role row to ten grants, every twentieth grant a `deny`; a question is one caller, one',
    'resource, one command. *New* questions were never asked before; *repeated* ones were. *Longest pause*: how long the event loop',
    'stood still during a reload. Memory is that of the whole process, with and without the loaded policy.',
    '',
    ...table(
      [
        'engine',
        'rules',
        'load ms',
        'load cpu ms',
        'longest pause ms',
        'new us',
        'new p99 us',
        'repeated us',
        'resident MiB',
        'before MiB',
        'allowed',
      ],
      all.map((f) => [
        f.engine,
        f.rules.toLocaleString('en'),
        f.loadMs,
        f.loadCpuMs,
        f.pauseMs,
        f.newUs,
        f.newP99Us,
        f.repeatedUs,
        f.residentMib,
        f.beforeMib,
        `${Math.round((f.allowed / f.asked) * 100)} % of ${f.asked}`,
      ]),
    ),
    '',
    `Ours at ${large?.rules.toLocaleString('en')} rules against ${small?.rules.toLocaleString('en')}: a new decision takes ` +
      `${ratio((f) => f.newUs).toFixed(2)} times as long, a repeated one ${ratio((f) => f.repeatedUs).toFixed(2)} times.`,
  ]);
}

/** Ours is quick enough to be noise: the middle one of three processes. */
function typical(engine: string, rules: number): Figures {
  const runs = Array.from({ length: engine === 'ours' ? 3 : 1 }, () => one(engine, rules));
  const [figures] = runs.toSorted((a, b) => a.newUs - b.newUs).slice(runs.length >> 1);
  if (figures === undefined) throw new Error('nothing was measured');
  return figures;
}

function one(engine: string, rules: number): Figures {
  const child = spawnSync(
    process.execPath,
    ['--expose-gc', '--max-old-space-size=4096', import.meta.filename, 'one', engine, String(rules)],
    { encoding: 'utf8', maxBuffer: 1 << 24 },
  );
  if (child.status !== 0) throw new Error(`${engine} at ${rules}: ${child.stderr}`);
  return JSON.parse(child.stdout) as Figures;
}
