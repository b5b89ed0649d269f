import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { faults } from '../test/reliability/faults/index.ts';
import { type Figures, figuresFile, page, pageFile, storedFigures } from '../test/reliability/page.ts';

// Writes docs/reliability.md: brings every fault about, takes the figures, and makes the page from them and from what the
// tests declare.
//
//   node scripts/write-reliability-doc.ts [--no-run]      --no-run: with the figures of the last run

const root = new URL('..', import.meta.url).pathname;

function taken(): Figures {
  const directory = mkdtempSync(join(tmpdir(), 'cci-figures-'));
  const file = join(directory, 'figures.jsonl');
  try {
    const words = ['run', 'test/reliability', '--exclude', 'test/reliability/page.test.ts', '--maxWorkers=2'];
    const { status } = spawnSync(join(root, 'node_modules/.bin/vitest'), words, {
      cwd: root,
      stdio: 'inherit',
      env: { ...process.env, RELIABILITY: 'whole', CI_REQUIRE_ROOT: '1', RELIABILITY_FIGURES: file },
    });
    if (status !== 0) throw new Error('a test failed: the page stays as it is');
    const rows: { id: string; figures: { [name: string]: number } }[] = readFileSync(file, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const found = new Map(rows.map(({ id, figures }) => [id, figures]));
    return {
      machine: `${availableParallelism()} CPUs, Linux, Node ${process.versions.node}`,
      faults: Object.fromEntries(Object.keys(faults).map((id) => [id, found.get(id) ?? {}])),
    };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

if (!process.argv.includes('--no-run')) {
  writeFileSync(figuresFile, `${JSON.stringify(taken(), undefined, 2)}\n`);
}
writeFileSync(pageFile, page(storedFigures()));
