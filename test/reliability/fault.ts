import { spawnSync } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Answer } from './ask.ts';
import { type BrokerWish, Installation, type Kept, type Running } from './broker-process.ts';
import { type FaultId, faults } from './faults/index.ts';
import type { Fault } from './faults/types.ts';

/** `RELIABILITY=whole` runs what takes long as well; `CI_REQUIRE_ROOT=1` forbids leaving out what needs root. */
const isWhole = process.env.RELIABILITY === 'whole';
/** Root of a container may often do neither of these. */
const isRoot = process.getuid?.() === 0 && ['ip -V', 'unshare --net --mount true'].every(works);
const mustRoot = process.env.CI_REQUIRE_ROOT === '1';
/** Where figures are collected for the page. */
const figuresFile = process.env.RELIABILITY_FIGURES;

function works(line: string): boolean {
  const [command = '', ...words] = line.split(' ');
  return spawnSync(command, words, { stdio: 'ignore' }).status === 0;
}

export interface Stage {
  /** An installation that is removed behind the test. */
  install(wish?: BrokerWish): Installation;
  /** An installation with a broker that runs. */
  start(wish?: BrokerWish): Promise<Running>;
  /** This is what the table says that the caller sees. */
  sees(sight: string, answer: Partial<Answer>): void;
  /** Nothing is lost: see `Installation`. */
  kept(installation: Installation): Promise<Kept>;
  /** A figure of the table, rounded to whole units. */
  figure(name: string, value: number): void;
}

/**
 * The test of one row of the table of faults. It fails where something that the row declares was not shown: a sight that
 * nobody had, a figure that was not taken, a journal that was not looked at.
 */
export function fault(id: FaultId, run: (stage: Stage) => Promise<void>): void {
  const row: Fault = faults[id];
  const skip = (row.runs === 'whole' && !isWhole) || (row.needs === 'root' && !isRoot && !mustRoot);
  const why = row.needs === 'root' && !isRoot ? ' (needs root that may mount and make networks, and `ip`)' : '';
  test.skipIf(skip)(`${row.title}${skip ? why : ''}`, { timeout: isWhole ? 150_000 : 60_000 }, async () => {
    if (row.needs === 'root') expect(isRoot, 'this needs root that may mount and make networks, and `ip`').toBe(true);
    const installations: Installation[] = [];
    const seen = new Set<string>();
    const figures = new Map<string, number>();
    let wasKept = 0;
    const install = (wish?: BrokerWish): Installation => {
      const made = new Installation(wish);
      installations.push(made);
      return made;
    };
    try {
      await run({
        install,
        start: (wish) => install(wish).start(),
        sees(name, answer) {
          const sight = row.sees[name];
          if (sight === undefined) throw new Error(`${id} declares no sight \`${name}\``);
          seen.add(name);
          const { who: _who, text: _text, ...expected } = sight;
          expect(answer, `${id}: ${name}`).toMatchObject(expected);
        },
        async kept(installation) {
          wasKept += 1;
          return installation.nothingLost();
        },
        figure(name, value) {
          if (row.figures?.[name] === undefined) throw new Error(`${id} declares no figure \`${name}\``);
          figures.set(name, Math.round(value));
        },
      });
      expect([...seen].sort(), 'what was shown is what the table declares').toEqual(Object.keys(row.sees).sort());
      expect([...figures.keys()].sort(), 'all figures were taken').toEqual(Object.keys(row.figures ?? {}).sort());
      expect(wasKept, 'the journal was held against the device').toBeGreaterThan(0);
      if (figuresFile !== undefined) {
        appendFileSync(figuresFile, `${JSON.stringify({ id, figures: Object.fromEntries(figures) })}\n`);
      }
    } finally {
      for (const one of installations) await one.remove();
    }
  });
}
