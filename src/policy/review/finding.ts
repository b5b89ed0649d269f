/** What a reviewer would say of files that load. Codes are stable, for tools and for silencing comments. */
export const findingCodes = {
  'grant-to-everybody': 'everybody in a tenant gets more than the safe reads',
  'grant-reaches-others': "a row is about what is not, or not only, its tenant's",
  'radius-beyond-own': 'a command can disturb others than those it names',
  'raw-granted': 'commands are granted by number, and so raw',
  'opaque-granted': 'nobody can tell from outside what the command will do',
  'never-applies': 'the row can never allow or deny anything',
  shadowed: 'a row that denies takes everything away that this row gives',
  redundant: 'another row says all of it',
  'role-nobody-has': 'no row gives the role to any caller',
  'tenant-without-rules': 'a tenant of the fabric file may do nothing',
  'resource-nobody-owns': 'an object belongs to no tenant, and so to the operators',
  'wider-than-fabric': 'the row is written for more than there is',
  'unused-silencer': 'a silencing comment silences nothing',
  'unknown-silencer': 'a silencing comment names no code that can be silenced',
  'malformed-silencer': 'a silencing comment without a reason, or not in its form',
} as const;
export type FindingCode = keyof typeof findingCodes;

/** Mistakes in silencing comments: what was meant to be looked at is not. */
const errorCodes: ReadonlySet<FindingCode> = new Set(['unknown-silencer', 'malformed-silencer']);

/** One thing that a reviewer would ask about. Lines and columns start at 1. */
export interface Finding {
  readonly code: FindingCode;
  readonly level: 'error' | 'warning';
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** The offending text, made safe to print. */
  readonly text: string;
  /** One sentence, lower case. */
  readonly reason: string;
  /** What to do about it. */
  readonly help: string;
  /** Why somebody wants it so, where a comment in the file silences it. */
  readonly silenced?: string;
}

export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly text: string;
}

export function finding(code: FindingCode, at: Place, reason: string, help: string): Finding {
  const { file, line, column, text } = at;
  return { code, level: errorCodes.has(code) ? 'error' : 'warning', file, line, column, text, reason, help };
}

/** `tenants/acme.csv:12:19: grant-to-everybody: ...` and the help on a line of its own. */
export function formatFinding({ file, line, column, code, reason, help, silenced }: Finding): string {
  const head = `${file}:${line}:${column}: ${code}: ${reason}`;
  return silenced === undefined ? `${head}\n  help: ${help}` : `${head}\n  silenced: ${silenced}`;
}
