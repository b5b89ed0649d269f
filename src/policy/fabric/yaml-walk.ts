import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type YAMLMap,
} from 'yaml';
import { repeatedKeys } from '../../yaml/index.ts';
import { type ErrorList, type LoadErrorCode, visibleSentence } from '../load/error.ts';

/** A piece of a YAML file that can be pointed at. */
export interface Place {
  readonly line: number;
  readonly column: number;
  /** As written. */
  readonly source: string;
}

/** One `key: value` of a mapping. */
export interface Entry {
  readonly key: string;
  readonly keyPlace: Place;
  readonly value: Node | null;
}

const SYNTAX_ERRORS_MAX = 20;

/**
 * Reads one YAML file into nodes whose every scalar is a string (`010` stays `010`), and collects what is wrong with it.
 * Aliases, tags and anchors are refused: a reviewer must be able to read a line without the rest of the file.
 */
export class YamlWalk {
  readonly root: Node | null;
  readonly errors: ErrorList;
  readonly #file: string;
  readonly #text: string;
  readonly #lines = new LineCounter();

  constructor(file: string, text: string, errors: ErrorList) {
    this.#file = file;
    this.#text = text;
    this.errors = errors;
    this.root = this.#parse();
  }

  #parse(): Node | null {
    const deep = tooDeepAt(this.#text);
    if (deep !== undefined) {
      this.#report('syntax', this.#at(deep, deep + 1), 'nested too deeply', 'write plain, shallow YAML');
      return null;
    }
    let document: Document.Parsed;
    let repeated: readonly number[];
    try {
      document = parseDocument(this.#text, {
        schema: 'failsafe',
        lineCounter: this.#lines,
        uniqueKeys: false,
        prettyErrors: false,
      });
      repeated = repeatedKeys(document);
      /* v8 ignore start -- deep nesting was refused above; should the parser know another way to throw, it is a mistake */
    } catch {
      this.#report('syntax', this.#at(0, 0), "the file can't be read as YAML", 'write plain, shallow YAML');
      return null;
    }
    /* v8 ignore stop */
    const problems: readonly { readonly pos: readonly [number, number]; readonly message: string }[] = [
      ...document.errors,
      ...document.warnings,
      ...repeated.map((offset) => ({ pos: [offset, offset + 1] as const, message: 'map keys must be unique' })),
    ];
    // The parser goes on after a mistake and stumbles over its consequences: one for each place, and not too many.
    const places = new Set<number>();
    for (const { pos, message } of problems) {
      if (places.has(pos[0]) || places.size >= SYNTAX_ERRORS_MAX) continue;
      places.add(pos[0]);
      this.#report(
        'syntax',
        this.#at(pos[0], Math.max(pos[1], pos[0] + 1)),
        lowerFirst(visibleSentence(message)),
        'mend the YAML here',
      );
    }
    return problems.length > 0 ? null : document.contents;
  }

  /** Where a node stands; the start of the file for none. */
  place(node: Node | null): Place {
    const [from, to] = node?.range ?? [0, 0];
    return this.#at(from, to);
  }

  report(code: LoadErrorCode, place: Place, message: string, help: string): void {
    this.#report(code, place, message, help);
  }

  /** Entries of a mapping; reports and gives none for anything else. */
  entries(node: Node | null, what: string, help: string): readonly Entry[] {
    const entries: Entry[] = [];
    if (!this.#plain(node)) return entries;
    if (!isMap(node)) {
      this.#report('syntax', this.place(node), `${what} must be a mapping of names`, help);
      return entries;
    }
    for (const pair of (node as YAMLMap<Node | null, Node | null>).items) {
      const key = this.text(pair.key, `a name in ${what}`, help);
      if (key !== undefined) entries.push({ key, keyPlace: this.place(pair.key), value: pair.value });
    }
    return entries;
  }

  /** Items of a list; reports and gives none for anything else. */
  items(node: Node | null, what: string, help: string): readonly (Node | null)[] {
    if (!this.#plain(node)) return [];
    if (isSeq(node)) return node.items as (Node | null)[];
    this.#report('syntax', this.place(node), `${what} must be a list`, help);
    return [];
  }

  /** Text of a scalar; reports and gives undefined for anything else. */
  text(node: Node | null, what: string, help: string): string | undefined {
    if (!this.#plain(node)) return undefined;
    if (isScalar(node) && typeof node.value === 'string' && node.value !== '') return node.value;
    this.#report('syntax', this.place(node), `${what} is missing`, help);
    return undefined;
  }

  #plain(node: Node | null): boolean {
    if (node === null) return true;
    const isLabelled = isAlias(node) || node.tag !== undefined || node.anchor !== undefined;
    if (!isLabelled) return true;
    this.#report('syntax', this.place(node), 'anchors, aliases and tags are not read here', 'write the value itself');
    return false;
  }

  #at(from: number, to: number): Place {
    const { line, col } = this.#lines.linePos(from);
    return {
      line: Math.max(line, 1),
      column: Math.max(col, 1),
      source: this.#text.slice(from, Math.min(to, from + 100)).trimEnd(),
    };
  }

  #report(code: LoadErrorCode, place: Place, message: string, help: string): void {
    this.errors.add(code, { file: this.#file, line: place.line, column: place.column }, place.source)(message, help);
  }
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

const DEPTH_MAX = 100;

/** Where brackets or marks of nested lists become too many. The parser recurses and takes seconds to run out of stack. */
function tooDeepAt(text: string): number | undefined {
  let depth = 0;
  for (const { 0: bracket, index } of text.matchAll(/[[\]{}]/g)) {
    depth = Math.max(0, depth + (bracket === '[' || bracket === '{' ? 1 : -1));
    if (depth > DEPTH_MAX) return index;
  }
  return /(?:[-?:][ \t]+){20}/.exec(text)?.index;
}
