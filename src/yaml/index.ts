import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import {
  type Document,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  type YAMLMap,
} from 'yaml';
import type { Static, TSchema } from '../schema/index.ts';
import { withoutAbsent } from './absent-members.ts';
import { ofTheChosenForm } from './choices.ts';
import { oddKeys } from './odd-keys.ts';
import { repeatedKeys } from './repeated-keys.ts';

export { repeatedKeys } from './repeated-keys.ts';

/**
 * YAML files whose mistakes can be pointed at. A leaf that every layer may use: it knows no file of ours.
 */

/** One thing that is wrong with a file; lines and columns start at 1. */
export interface FileProblem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/** `config/broker.yaml:3:1: ...` */
export function formatProblem(problem: FileProblem): string {
  return `${problem.file}:${problem.line}:${problem.column}: ${problem.message}`;
}

/** Path of keys and indices into the file. */
export type FilePath = readonly (string | number)[];

/** A parsed file that can still be pointed into. */
export interface LocatedFile<T> {
  readonly content: T;
  /** A problem at the place a path leads to, or at the deepest part of the path that exists. */
  problemAt(path: FilePath, message: string): FileProblem;
}

export type ParsedFile<T> =
  | { readonly ok: true; readonly value: LocatedFile<T> }
  | { readonly ok: false; readonly problems: readonly FileProblem[] };

/** Longest file that is looked at, in characters. */
export const FILE_SIZE_MAX = 4 * 1024 * 1024;

/**
 * Parses YAML and holds it against a schema. Aliases, odd and duplicate keys and unknown members are problems; all problems of
 * the first failing step are reported together. Never throws.
 */
export function parseYaml<S extends TSchema>(schema: S, text: string, file: string): ParsedFile<Static<S>> {
  const first = (message: string): ParsedFile<Static<S>> => ({
    ok: false,
    problems: [{ file, line: 1, column: 1, message }],
  });
  if (text.length > FILE_SIZE_MAX) return first(`the file is longer than ${FILE_SIZE_MAX} characters`);
  const lines = new LineCounter();
  let document: Document;
  let content: unknown;
  try {
    document = parseDocument(text, { lineCounter: lines, uniqueKeys: false, schema: 'core' });
    if (document.errors.length > 0) {
      // The parser stumbles over the consequences of a mistake where it stands: one for each place.
      const first = new Map(document.errors.toReversed().map((e) => [e.pos[0], e]));
      const errors = document.errors.filter((e) => first.get(e.pos[0]) === e);
      return { ok: false, problems: errors.map((e) => at(lines, file, e.pos[0], firstLine(e.message))) };
    }
    const odd = oddKeys(document);
    if (odd.length > 0) return { ok: false, problems: odd.map((key) => at(lines, file, key.offset, key.message)) };
    const repeated = repeatedKeys(document);
    if (repeated.length > 0) {
      return { ok: false, problems: repeated.map((offset) => at(lines, file, offset, 'map keys must be unique')) };
    }
    // No aliases: a few lines of them can stand for gigabytes.
    content = document.toJS({ maxAliasCount: 0 });
  } catch (error) {
    return first(`cannot be read as YAML: ${firstLine(error instanceof Error ? error.message : String(error))}`);
  }
  const problemAt = (path: FilePath, message: string): FileProblem =>
    at(lines, file, offsetOf(document, path), message);
  const misfits = misfitsOf(schema, content);
  // The one place where what was read gets the type that the schema has told.
  if (misfits.length === 0) return { ok: true, value: { content: content as Static<S>, problemAt } };
  return {
    ok: false,
    problems: misfits.map(({ path, message }) =>
      problemAt(path, `${path.length === 0 ? 'the file' : `\`${path.join('.')}\``} ${message}`),
    ),
  };
}

/** One way in which a value does not fit a schema. */
export interface Misfit {
  /** Where. A key that is not known is named here, not what holds it. */
  readonly path: FilePath;
  /** Keyword of JSON Schema that says so, such as `type`, `enum`, `anyOf`; `additionalProperties` for unknown keys. */
  readonly keyword: string;
  /** `must be integer`, `is not a known key`. */
  readonly message: string;
  readonly params: Readonly<Record<string, unknown>>;
}

// Our own schemas are not held against the schema of schemas: that takes longer than everything else at start.
const ajv = new Ajv({ allErrors: true, strict: false, validateSchema: false, meta: false, code: { optimize: false } });
const validators = new WeakMap<TSchema, ValidateFunction>();
const seen = new WeakSet<TSchema>();

/**
 * Most schemas are used once, at start, for a file that uses a small part of them; making a validator of all of it would take
 * a tenth of the start. What is used again is made whole, and kept.
 */
function validatorFor(schema: TSchema, content: unknown): ValidateFunction {
  const made = validators.get(schema);
  if (made !== undefined) return made;
  if (!seen.has(schema)) {
    seen.add(schema);
    return ajv.compile(withoutAbsent(schema, content));
  }
  const whole = ajv.compile(schema);
  validators.set(schema, whole);
  return whole;
}

/** Everything that is wrong with a value; empty when it fits. Never throws, whatever the value is. */
export function misfitsOf(schema: TSchema, content: unknown): readonly Misfit[] {
  const validate = validatorFor(schema, content);
  if (validate(content)) return [];
  const errors = ofTheChosenForm(validate.errors ?? []);
  const misfits = errors.map(misfitOf);
  return misfits.length > 0
    ? misfits
    : [{ path: [], keyword: 'false', message: 'does not fit its schema', params: {} }];
}

/** Does a value fit? For state of our own, where nobody is told what is wrong with it. */
export function fits<S extends TSchema>(schema: S, content: unknown): content is Static<S> {
  return misfitsOf(schema, content).length === 0;
}

function misfitOf({ instancePath, keyword, message = 'does not fit its schema', params }: ErrorObject): Misfit {
  const path = pathOf(instancePath);
  const unknown: unknown = params.additionalProperty;
  if (keyword === 'additionalProperties' && typeof unknown === 'string') {
    return { path: [...path, unknown], keyword, message: 'is not a known key', params };
  }
  if (keyword === 'required') return { path, keyword, message: `must have \`${params.missingProperty}\``, params };
  return { path, keyword, message, params };
}

function at(lines: LineCounter, file: string, offset: number, message: string): FileProblem {
  const { line, col } = lines.linePos(offset);
  return { file, line: Math.max(line, 1), column: Math.max(col, 1), message };
}

function firstLine(text: string): string {
  const line = text.split('\n')[0] ?? '';
  return line.slice(0, 1).toLowerCase() + line.slice(1);
}

function pathOf(pointer: string): FilePath {
  const parts = pointer.split('/').slice(1);
  return parts.map((part) => (/^\d+$/.test(part) ? Number(part) : part.replaceAll('~1', '/').replaceAll('~0', '~')));
}

function offsetOf(document: Document, path: FilePath): number {
  let node: unknown = document.contents;
  let offset = start(node) ?? 0;
  for (const step of path) {
    if (isMap(node)) {
      const pair = pairsOf(node).get(`${step}`);
      if (pair === undefined) break;
      offset = start(pair.key) ?? offset;
      node = pair.value;
    } else if (isSeq(node)) {
      node = node.items[Number(step)];
      offset = start(node) ?? offset;
    } else break;
  }
  return offset;
}

const pairs = new WeakMap<YAMLMap, ReadonlyMap<string, Pair>>();

/** Members by name, worked out once: a file may have a mistake in each of a hundred thousand. */
function pairsOf(map: YAMLMap): ReadonlyMap<string, Pair> {
  const known =
    pairs.get(map) ??
    new Map(map.items.flatMap((item) => (isScalar(item.key) ? [[String(item.key.value), item]] : [])));
  pairs.set(map, known);
  return known;
}

function start(node: unknown): number | undefined {
  return (node as Node | null | undefined)?.range?.[0];
}
