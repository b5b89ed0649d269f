import { readFileSync } from 'node:fs';
import { dirname, relative, sep } from 'node:path';
import type { Plugin } from 'rolldown';
import type { Inputs } from './inputs.ts';

const PLACE = '\0cci:place';

/**
 * Notes each file that is read, and lets it know the place that it was written for: `import.meta.url` and its like, and
 * `__dirname` of packages, are the source's own, so that what is looked for beside a source is found.
 *
 * @param folder of the bundle, from the root of the tree
 */
export function places(folder: string, inputs: Inputs): Plugin {
  return {
    name: 'places',
    resolveId: (id) => (id === PLACE ? PLACE : null),
    load(id) {
      if (id === PLACE) return placeModule(folder);
      if (id.startsWith('\0')) return null;
      inputs.add(id);
      return readFileSync(id, 'utf8');
    },
    transform: (code, id) => (id.startsWith('\0') ? null : placed(code, inputs.nameOf(id))),
  };
}

function placeModule(folder: string): string {
  const up = JSON.stringify(relative(folder, '.').split(sep).join('/'));
  return `import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
const root = join(import.meta.dirname, ${up});
export const placeOf = (path) => join(root, path);
export const urlOf = (path) => pathToFileURL(placeOf(path)).href;
`;
}

/** @throws Error where a module of the tree asks for something of its place that a bundle cannot tell */
function placed(code: string, name: string): string | null {
  const [file, folder, place] = [name, dirname(name), PLACE].map((text) => JSON.stringify(text));
  if (/\bimport\.meta\b/.test(code)) {
    const told = code
      .replaceAll(/\bimport\.meta\.url\b/g, `__cci_urlOf(${file})`)
      .replaceAll(/\bimport\.meta\.filename\b/g, `__cci_placeOf(${file})`)
      .replaceAll(/\bimport\.meta\.dirname\b/g, `__cci_placeOf(${folder})`);
    if (/\bimport\.meta\b/.test(told)) throw new Error(`${name} asks for more of \`import.meta\` than its place`);
    return `import { placeOf as __cci_placeOf, urlOf as __cci_urlOf } from ${place};${told}`;
  }
  if (!/\b__(?:dir|file)name\b/.test(code)) return null;
  // A bundle is strict code, with or without the word at the beginning.
  return `var __cci_place = require(${place}), __filename = __cci_place.placeOf(${file}), __dirname = __cci_place.placeOf(${folder});${code}`;
}
