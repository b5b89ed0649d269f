import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Target } from './engine/target.ts';

const folder = join(import.meta.dirname, 'targets');

export interface LoadedTarget {
  readonly target: Target;
  /** URL of its module, which a worker loads again with counters in what it measures. */
  readonly module: string;
}

/** Names of all targets: one file each. */
export const targetNames: readonly string[] = readdirSync(folder)
  .filter((file) => file.endsWith('.ts'))
  .map((file) => file.slice(0, -3))
  .sort();

/** @param name one of `targetNames` */
export async function loadTarget(name: string): Promise<LoadedTarget> {
  const module = pathToFileURL(join(folder, `${name}.ts`)).href;
  const { target } = (await import(module)) as { readonly target: Target };
  if (target.name !== name) throw new Error(`fuzz/targets/${name}.ts calls itself \`${target.name}\``);
  return { target, module };
}
