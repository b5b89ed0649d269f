import { hash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Finding } from './finding.ts';
import type { Target } from './target.ts';

const root = resolve(import.meta.dirname, '../..');

/** Bounds of a corpus folder: what is kept is read by people and executed in every test run. */
export const MAX_FILES = 200;
export const MAX_FILE_BYTES = 8192;

export const corpusFolder = (target: Pick<Target, 'name'>): string => join(root, 'test/fuzz/corpus', target.name);
export const findingsFolder = (target: Pick<Target, 'name'>): string => join(root, 'fuzz/findings', target.name);

/** An input with the name of its file. */
export interface Kept {
  readonly file: string;
  readonly bytes: Uint8Array;
}

/** Inputs of a target, in the order of their names. */
export function readCorpus(target: Pick<Target, 'name'>): readonly Kept[] {
  const folder = corpusFolder(target);
  return listed(folder).map((file) => ({ file, bytes: readFileSync(join(folder, file)) }));
}

/** Adds inputs as far as there is room. @returns how many were new */
export function addToCorpus(target: Target, inputs: readonly Uint8Array[]): number {
  const folder = corpusFolder(target);
  const there = new Set(listed(folder));
  let added = 0;
  for (const bytes of inputs) {
    const file = nameOf(target, bytes);
    if (there.has(file) || there.size >= MAX_FILES || bytes.length > MAX_FILE_BYTES) continue;
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, file), bytes);
    there.add(file);
    added++;
  }
  return added;
}

/** Leaves in the folder what `inputs` has and what somebody gave a name by hand. */
export function replaceCorpus(target: Target, inputs: readonly Uint8Array[]): void {
  const folder = corpusFolder(target);
  for (const file of listed(folder)) if (/^[\da-f]{12}\./.test(file)) rmSync(join(folder, file));
  addToCorpus(target, inputs);
}

/** Writes input and account of a finding. @returns path of the input, relative to the project */
export function writeFinding(target: Target, finding: Finding): string {
  const folder = findingsFolder(target);
  mkdirSync(folder, { recursive: true });
  const file = nameOf(target, finding.input);
  writeFileSync(join(folder, file), finding.input);
  writeFileSync(join(folder, `${file}.log`), `${finding.kind}: ${finding.message}\n${finding.stack}\n`);
  return join('fuzz/findings', target.name, file);
}

function nameOf({ kind }: Target, bytes: Uint8Array): string {
  return `${hash('sha256', bytes).slice(0, 12)}.${kind === 'text' ? 'txt' : 'bin'}`;
}

function listed(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
      .filter((file) => !file.endsWith('.md'))
      .sort();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}
