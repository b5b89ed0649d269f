import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

/**
 * Imports only go down: each folder may import itself and what its row lists. Type-only imports count as well, except
 * where a row allows them. Run by `npm run lint`; exits 1 and names every line that breaks the rule.
 */
interface Layer {
  readonly folder: string;
  readonly may: readonly string[];
  /** Only these files of a folder, from anywhere in the layer. */
  readonly only?: { readonly [folder: string]: readonly string[] };
  /** Packages and `node:` modules that the layer must not import. */
  readonly purely?: boolean;
}

const layers: readonly Layer[] = [
  { folder: 'src/cci', may: [], purely: true },
  { folder: 'src/schema', may: [] },
  { folder: 'src/yaml', may: ['src/schema'] },
  { folder: 'src/taint', may: ['src/cci'] },
  { folder: 'src/policy', may: ['src/cci', 'src/taint', 'src/schema', 'src/yaml'] },
  { folder: 'src/backend', may: ['src/cci', 'src/schema', 'src/yaml'] },
  { folder: 'src/broker', may: ['src/cci', 'src/taint', 'src/policy', 'src/backend', 'src/schema', 'src/yaml'] },
  { folder: 'src/sandbox', may: [] },
  { folder: 'src/service', may: ['src/sandbox'] },
  {
    folder: 'src/edge',
    may: ['src/cci', 'src/broker', 'src/policy', 'src/sandbox', 'src/schema'],
    only: { 'src/broker': ['core-api.ts', 'channel/edge-side.ts'], 'src/policy': ['types.ts', 'index.ts'] },
  },
  { folder: 'src/client', may: ['src/cci'] },
  {
    folder: 'src/cli',
    may: [
      'src/cci',
      'src/client',
      'src/edge',
      'src/broker',
      'src/policy',
      'src/backend',
      'src/sandbox',
      'src/schema',
      'src/service',
      'src/yaml',
    ],
    only: { 'src/backend': ['emulator/index.ts', 'devices/index.ts'] },
  },
];

const root = resolve(import.meta.dirname, '..');
const problems: string[] = [];

for (const file of files(join(root, 'src'))) {
  const path = relative(root, file);
  const layer = layers.find(({ folder }) => path.startsWith(`${folder}/`));
  if (layer === undefined) problems.push(`${path}: is in no layer`);
  else check(path, layer, readFileSync(file, 'utf8'));
}

function check(path: string, layer: Layer, text: string): void {
  for (const { specifier, line } of imports(text)) {
    const say = (why: string) => problems.push(`${path}:${line}: imports \`${specifier}\`: ${why}`);
    if (!specifier.startsWith('.')) {
      if (layer.purely === true) say('this layer is pure');
      if (/^typebox(\/|$)/.test(specifier) && layer.folder !== 'src/schema') say('schemas are made with src/schema');
      continue;
    }
    const target = relative(root, resolve(root, dirname(path), specifier));
    // The version that the product tells stands in package.json.
    if (target.startsWith(`${layer.folder}/`) || target === 'package.json') continue;
    const folder = layer.may.find((allowed) => target.startsWith(`${allowed}/`));
    if (folder === undefined) {
      say(`${layer.folder} may import only ${layer.may.join(', ') || 'itself'}`);
      continue;
    }
    const only = layer.only?.[folder];
    if (only !== undefined && !only.includes(relative(folder, target))) say(`only ${only.join(', ')} of ${folder}`);
  }
}

function imports(text: string): readonly { readonly specifier: string; readonly line: number }[] {
  const found: { specifier: string; line: number }[] = [];
  // `import|export ... from 'x'`, `import 'x'` and `import('x')`.
  const forms =
    /(?:^|\n)\s*(?:import|export)\s+(?:type\s+)?[\w\s,*]*(?:\{[^}]*\})?\s*from\s*['"]([^'"]+)['"]|(?:^|\n)\s*import\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/g;
  for (const match of text.matchAll(forms)) {
    const line = text.slice(0, match.index + match[0].length).split('\n').length;
    found.push({ specifier: match[1] ?? match[2] ?? match[3] ?? '', line });
  }
  return found;
}

function files(folder: string): readonly string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? files(path) : path.endsWith('.ts') ? [path] : [];
  });
}

for (const problem of problems) console.error(problem);
console.error(problems.length === 0 ? 'layers: imports only go down' : `layers: ${problems.length} imports go up`);
process.exitCode = problems.length === 0 ? 0 : 1;
