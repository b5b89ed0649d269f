import { builtinModules } from 'node:module';
import { dirname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Plugin, rolldown } from 'rolldown';

/** Where a bundle finds what it does not contain: packages and what is built into Node, by name. */
export const PACKAGES = '__mutation_packages';

const builtins = new Set(builtinModules);
const MARK = '\0package:';

/**
 * Puts the test files and all sources they reach into one script: an asynchronous function's body that hands over
 * `{ [file]: () => Promise }`, each function evaluating its file (and its sources, when they have not been) at call.
 * Evaluating that script anew is a fresh world for each mutant, for a twentieth of what a new worker costs.
 */
export async function bundleOf(root: string, files: readonly string[], packages: Map<string, object>): Promise<string> {
  const entry = `globalThis.__mutation_files = {\n${files
    .map((file) => `${JSON.stringify(file)}: () => import(${JSON.stringify(resolve(root, file))}),`)
    .join('\n')}\n};`;
  const plugin: Plugin = {
    name: 'judges',
    async resolveId(id) {
      if (id === 'entry') return '\0entry';
      if (id.startsWith('.') || id.startsWith('/') || id.startsWith('\0')) return null;
      if (!packages.has(id)) {
        const isBuiltin = id.startsWith('node:') || builtins.has(id);
        const given = id === 'vitest' ? {} : await import(isBuiltin ? id : import.meta.resolve(id));
        packages.set(id, id === 'fast-check' ? withFewRuns(given as FastCheck) : (given as object));
      }
      return `${MARK}${id}`;
    },
    load(id) {
      if (id === '\0entry') return entry;
      if (!id.startsWith(MARK)) return null;
      const name = id.slice(MARK.length);
      const keys = name === 'vitest' ? VITEST : Object.keys(packages.get(name) ?? {});
      const lines = [`const m = globalThis.${PACKAGES}(${JSON.stringify(name)});`];
      for (const key of keys) {
        if (key === 'default') lines.push('export default m.default;');
        else if (/^[A-Za-z_$][\w$]*$/.test(key))
          lines.push(`const x_${key} = m.${key}; export { x_${key} as ${key} };`);
      }
      return lines.join('\n');
    },
    transform(code, id) {
      if (id.startsWith('\0')) return null;
      return code
        .replaceAll('import.meta.main', 'false')
        .replaceAll('import.meta.dirname', JSON.stringify(dirname(id)))
        .replaceAll('import.meta.filename', JSON.stringify(id))
        .replaceAll('import.meta.url', JSON.stringify(pathToFileURL(id).href))
        .replace(
          'function stryCov_9fa48() {',
          'function stryCov_9fa48() { if (globalThis.__mutation_quiet) { stryCov_9fa48 = () => {}; return; }',
        );
    },
  };
  const build = await rolldown({
    input: 'entry',
    cwd: root,
    platform: 'neutral',
    plugins: [plugin],
    treeshake: false,
    logLevel: 'silent',
  });
  const { output } = await build.generate({ format: 'es', codeSplitting: false, sourcemap: false });
  await build.close();
  const [chunk] = output;
  return chunk.code.replace(/\nexport \{\};\s*$/, '');
}

interface FastCheck {
  readonly default: object;
  assert(property: unknown, parameters?: { readonly numRuns?: number }): unknown;
}

/** A property is asked a hundred times, with the same values for every mutant, and its first counterexample is enough. */
function withFewRuns(given: FastCheck): object {
  const assert: FastCheck['assert'] = (property, parameters = {}) => {
    const numRuns = Math.min(parameters.numRuns ?? 100, 100);
    return given.assert(property, { seed: 1, ...parameters, numRuns, endOnFailure: true } as typeof parameters);
  };
  return { ...given, assert, default: { ...given.default, assert } };
}

const VITEST = [
  'describe',
  'test',
  'it',
  'expect',
  'vi',
  'beforeAll',
  'beforeEach',
  'afterEach',
  'afterAll',
  'onTestFinished',
] as const;
