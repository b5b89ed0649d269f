import { isMap, isSeq, type Node } from 'yaml';
import {
  type CommandTable,
  extendCommands,
  type Form,
  type FormPath,
  hex16,
  readVendorRow,
  type SayProblem,
  type VendorRow,
} from '../../cci/index.ts';
import { type Place, YamlWalk } from '../fabric/yaml-walk.ts';
import { type ErrorList, visible, visibleSentence } from './error.ts';
import { hasHidden, linesOf, textOf } from './file.ts';

/** A description of one command has a few kilobytes. */
const FILE_BYTES_MAX = 1 << 16;
const FOLDER = 'commands.d/';
const ENDING = '.yaml';

/** Is it a file of the folder of reviewed vendor commands? */
export function isCommandFile(name: string): boolean {
  return name.startsWith(FOLDER) && name.endsWith(ENDING);
}

/** Reads `commands.d/SLUG.yaml` one by one: each makes one vendor opcode a typed, audited command (policy section 10). */
export class CommandsReader {
  readonly #errors: ErrorList;
  readonly #today: string;
  readonly #rows: VendorRow[] = [];
  readonly #files = new Map<number, string>();
  /** Slugs whose file has a mistake: that rows name them need not be said as well. */
  readonly faulty = new Set<string>();

  constructor(errors: ErrorList, today: string) {
    this.#errors = errors;
    this.#today = today;
  }

  read(name: string, bytes: Uint8Array): void {
    const before = this.#errors.size;
    const expected = name.slice(FOLDER.length, -ENDING.length);
    const row = this.#rowOf(name, bytes, expected);
    if (row !== undefined) this.#add(name, row);
    if (this.#errors.size > before) this.faulty.add(expected);
  }

  /** The catalogue and what was read. */
  table(): CommandTable {
    return extendCommands(this.#rows);
  }

  #rowOf(file: string, bytes: Uint8Array, expected: string): VendorRow | undefined {
    const shown = visible(file);
    const text = textOf(bytes, shown, this.#errors, FILE_BYTES_MAX);
    if (text === undefined) return undefined;
    const before = this.#errors.size;
    for (const [line, number] of linesOf(text)) hasHidden(line, shown, number, this.#errors);
    if (this.#errors.size > before) return undefined;
    const walk = new YamlWalk(shown, text, this.#errors);
    const tree = located(walk, walk.root, walk.place(walk.root));
    if (this.#errors.size > before) return undefined;
    const say: SayProblem = (path, message, help, part) => {
      walk.report('command', placeOf(tree, path, part), visibleSentence(message), visibleSentence(help));
    };
    const row = readVendorRow(tree.form, say, { today: this.#today });
    if (row === undefined || row.slug === expected) return row;
    say(['slug'], `\`${row.slug}\` stands in a file of another name`, `call the file \`commands.d/${row.slug}.yaml\``);
    return undefined;
  }

  #add(file: string, row: VendorRow): void {
    const first = this.#files.get(row.opcode);
    if (first !== undefined) {
      this.#errors.add(
        'duplicate',
        { file: visible(file), line: 1, column: 1 },
        hex16(row.opcode),
      )(`${hex16(row.opcode)} is described by \`${visible(first)}\` already`, 'keep one of the two');
      return;
    }
    this.#files.set(row.opcode, file);
    this.#rows.push(row);
  }
}

/** A piece of the file as plain data, and where it and its parts stand. */
interface Located {
  readonly form: Form;
  /** Of the value where it is one text, else of the key in front of it. */
  readonly place: Place;
  readonly keyPlace: Place;
  readonly parts: ReadonlyMap<string | number, Located>;
}

function located(walk: YamlWalk, node: Node | null, keyPlace: Place): Located {
  if (isMap(node)) {
    const parts = new Map<string | number, Located>();
    const form = new Map<string, Form>();
    for (const { key, keyPlace, value } of walk.entries(node, 'this', 'write `key: value`, one a line')) {
      const part = located(walk, value, keyPlace);
      parts.set(key, part);
      form.set(key, part.form);
    }
    return { form, place: keyPlace, keyPlace, parts };
  }
  if (isSeq(node)) {
    const items = walk.items(node, 'this', 'write a list').map((item) => located(walk, item, walk.place(item)));
    return { form: items.map((item) => item.form), place: keyPlace, keyPlace, parts: new Map(items.entries()) };
  }
  // Anchors, aliases and tags are refused by the walk, as is a value of nothing.
  const form = node === null ? '' : (walk.text(node, 'the value', 'write it, or leave the whole line out') ?? '');
  return { form, place: node === null ? keyPlace : walk.place(node), keyPlace, parts: new Map() };
}

/** The deepest part on the path that is there. */
function placeOf(tree: Located, path: FormPath, part: 'key' | undefined): Place {
  let at = tree;
  for (const step of path) {
    const part = at.parts.get(step);
    if (part === undefined) break;
    at = part;
  }
  return part === 'key' ? at.keyPlace : at.place;
}
