import { createRequire } from 'node:module';

/**
 * Puts a counter at the beginning of every block of a module: functions, branches, loops, cases, operands that are not
 * always evaluated. Asking V8 for its own block coverage costs about 400 us each time, whatever was executed; these
 * counters cost next to nothing, so that every single execution is measured (figures in `docs/fuzzing.md`).
 */

interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: unknown;
}

// The parser is the bundler's, which comes with the test runner.
const fromVite = createRequire(createRequire(import.meta.url).resolve('vite/package.json'));
const { parseAst } = fromVite('rolldown/parseAst') as { readonly parseAst: (text: string) => Node };

/** Where instrumented code counts: a property of the global object, there before any of it runs. */
export const COUNTERS = '__blocks';

export interface Instrumented {
  readonly text: string;
  /** Counters used: `first` to `first + blocks - 1`. */
  readonly blocks: number;
  /** Texts and numbers that the code compares with or speaks of. */
  readonly words: readonly string[];
  readonly numbers: readonly number[];
}

interface Insertion {
  readonly at: number;
  readonly text: string;
  readonly isClose: boolean;
  readonly depth: number;
}

/** @param text JavaScript of one module @param first index of its first counter */
export function instrument(text: string, first: number): Instrumented {
  const insertions: Insertion[] = [];
  const words = new Set<string>();
  const numbers = new Set<number>();
  let next = first;
  const count = (): string => `${COUNTERS}[${next++}]++`;
  const open = (at: number, depth: number, what: string): void => {
    insertions.push({ at, text: what, isClose: false, depth });
  };
  const close = (at: number, depth: number, what: string): void => {
    insertions.push({ at, text: what, isClose: true, depth });
  };
  const statement = (node: Node, depth: number): void => {
    if (node.type === 'BlockStatement') open(node.start + 1, depth, `${count()};`);
    else {
      open(node.start, depth, `{${count()};`);
      close(node.end, depth, '}');
    }
  };
  const expression = (node: Node, depth: number): void => {
    open(node.start, depth, `(${count()},`);
    close(node.end, depth, ')');
  };
  const rules: { readonly [type: string]: (node: Node, depth: number) => void } = {
    FunctionDeclaration: (node, depth) => statement(node.body as Node, depth),
    FunctionExpression: (node, depth) => statement(node.body as Node, depth),
    ArrowFunctionExpression: (node, depth) => {
      const body = node.body as Node;
      if (body.type === 'BlockStatement') statement(body, depth);
      else expression(body, depth);
    },
    IfStatement: (node, depth) => {
      const consequent = node.consequent as Node;
      statement(consequent, depth);
      if (isNode(node.alternate)) statement(node.alternate, depth);
      else close(consequent.end, depth - 0.5, ` else {${count()};}`);
    },
    ForStatement: (node, depth) => statement(node.body as Node, depth),
    ForInStatement: (node, depth) => statement(node.body as Node, depth),
    ForOfStatement: (node, depth) => statement(node.body as Node, depth),
    WhileStatement: (node, depth) => statement(node.body as Node, depth),
    DoWhileStatement: (node, depth) => statement(node.body as Node, depth),
    CatchClause: (node, depth) => statement(node.body as Node, depth),
    SwitchCase: (node, depth) => {
      const [body] = node.consequent as readonly Node[];
      if (body !== undefined) open(body.start, depth, `${count()};`);
    },
    ConditionalExpression: (node, depth) => {
      expression(node.consequent as Node, depth);
      expression(node.alternate as Node, depth);
    },
    LogicalExpression: (node, depth) => expression(node.right as Node, depth),
    AssignmentPattern: (node, depth) => expression(node.right as Node, depth),
    AssignmentExpression: (node, depth) => {
      if (['??=', '||=', '&&='].includes(String(node.operator))) expression(node.right as Node, depth);
    },
    Literal: ({ value }) => {
      if (typeof value === 'string' && value.length >= 2 && value.length <= 40) words.add(value);
      if (typeof value === 'number' && Number.isInteger(value)) numbers.add(value);
    },
  };
  const walk = (node: Node, depth: number): void => {
    rules[node.type]?.(node, depth);
    for (const child of Object.values(node)) {
      if (isNode(child)) walk(child, depth + 1);
      else if (Array.isArray(child)) for (const one of child) if (isNode(one)) walk(one, depth + 1);
    }
  };
  walk(parseAst(text), 1);
  return { text: inserted(text, insertions), blocks: next - first, words: [...words], numbers: [...numbers] };
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';
}

/** At one place first what ends there, the inner before the outer, then what begins there, the outer before the inner. */
function inserted(text: string, insertions: readonly Insertion[]): string {
  const ordered = insertions.toSorted((a, b) => {
    if (a.at !== b.at) return a.at - b.at;
    if (a.isClose !== b.isClose) return a.isClose ? -1 : 1;
    return a.isClose ? b.depth - a.depth : a.depth - b.depth;
  });
  const parts: string[] = [];
  let from = 0;
  for (const { at, text: piece } of ordered) {
    parts.push(text.slice(from, at), piece);
    from = at;
  }
  return parts.join('') + text.slice(from);
}
