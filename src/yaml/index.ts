import type { Static, TSchema } from 'typebox';
import { Value } from 'typebox/value';
import { type Document, isMap, isPair, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';

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
 * Parses YAML and holds it against a schema. Aliases, duplicate keys and unknown members are problems; all problems of
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
    document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, schema: 'core' });
    if (document.errors.length > 0) {
      return { ok: false, problems: document.errors.map((e) => at(lines, file, e.pos[0], firstLine(e.message))) };
    }
    // No aliases: a few lines of them can stand for gigabytes.
    content = document.toJS({ maxAliasCount: 0 });
  } catch (error) {
    return first(`cannot be read as YAML: ${firstLine(error instanceof Error ? error.message : String(error))}`);
  }
  const problemAt = (path: FilePath, message: string): FileProblem =>
    at(lines, file, offsetOf(document, path), message);
  if (Value.Check(schema, content)) return { ok: true, value: { content, problemAt } };
  const problems: FileProblem[] = [];
  for (const error of Value.Errors(schema, content)) {
    // The key that is not known is reported by its own error, at its own place.
    if (error.keyword === 'additionalProperties') continue;
    const path = pathOf(error.instancePath);
    const what = path.length === 0 ? 'the file' : `\`${path.join('.')}\``;
    problems.push(problemAt(path, `${what} ${error.keyword === 'boolean' ? 'is not a known key' : error.message}`));
  }
  return problems.length > 0 ? { ok: false, problems } : first('the file does not fit its schema');
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
      const pair = node.items.find(
        (item) => isPair(item) && isScalar(item.key) && String(item.key.value) === `${step}`,
      );
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

function start(node: unknown): number | undefined {
  return (node as Node | null | undefined)?.range?.[0];
}
