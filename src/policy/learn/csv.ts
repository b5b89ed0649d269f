import { rowBySlug } from '../../cci/index.ts';
import type { Learned } from './learn.ts';
import type { Use } from './usage.ts';

/** What a reviewer has to know of where the rows come from. */
export interface Provenance {
  readonly snapshot: string;
  readonly allowance: number | undefined;
}

/** The rows as a file `tenants/T.csv`, with the use of each above it. */
export function learnedCsv(
  { tenant, roles, denials, unused, usage }: Learned,
  { snapshot, allowance }: Provenance,
): string {
  const lines = [
    `# What callers of ${tenant} have used, as the least grants that cover it.`,
    `# From ${usage.records} decisions, ${usage.first ?? 'none'} to ${usage.last ?? 'none'}, held against policy ${snapshot.slice(0, 12)}.`,
    allowance === undefined
      ? '# Each row gives one command on one object.'
      : `# A row may give up to ${allowance} pairs of command and object that were not used; it says how many.`,
    ...note(usage.unreadable, 'records could not be read: they were written before the journal held what this needs'),
    ...note(usage.notAllowedNow, 'uses are not allowed by that policy any more: they are given to the user himself'),
    ...usage.ungrantable.map(
      ({ command, resource, count, why }) => `# Left out: \`${command}\` on ${resource}, ${times(count)}: ${why}.`,
    ),
  ];
  for (const { role, holder, proposals } of roles) {
    lines.push('', `# ${holder}`);
    for (const { resource, command, uses, unused: more } of proposals) {
      const extra = more === 0 ? '' : `; gives ${more} more that were not used`;
      // No row is about one log.
      const logs = rowBySlug(command)?.allowlisted === 'cel-only' ? '; gives every log' : '';
      lines.push(`# ${usedBy(uses)}${extra}${logs}`, `p, ${role}, ${tenant}, ${resource}, ${command}, allow`);
    }
    lines.push(`g, ${holder}, ${role}, ${tenant}`);
  }
  if (denials.length > 0) {
    lines.push('', '# Rows of the policy that deny some of this; without them it would be more than there was.');
    const links = new Set<string>();
    for (const { source, row, names } of denials) {
      lines.push(`# ${source}`, `p, ${row.join(', ')}`);
      for (const name of names) links.add(`g, ${name}, ${row[0]}, ${tenant}`);
    }
    lines.push(...links);
  }
  if (unused.length > 0) {
    lines.push('', '# Rows of the policy that decided nothing in this journal:');
    for (const { source, text } of unused) lines.push(`#   ${source}: ${text}`);
  }
  return `${lines.map(oneLine).join('\n')}\n`;
}

function note(count: number, text: string): readonly string[] {
  return count === 0 ? [] : [`# ${count} ${text}.`];
}

function usedBy(uses: readonly Use[]): string {
  const count = uses.reduce((sum, use) => sum + use.count, 0);
  const callers = Math.max(...uses.map((use) => use.callers));
  const last = uses
    .map((use) => use.last)
    .toSorted()
    .at(-1);
  return `${times(count)} by ${callers} ${callers === 1 ? 'caller' : 'callers'}, last ${last}`;
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`;
}

/** Comes from a journal: nothing in it may end a comment. */
function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, '?');
}
