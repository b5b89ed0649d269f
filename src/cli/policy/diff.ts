import { resolve } from 'node:path';
import { hex16 } from '../../cci/index.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { type Paint, paint } from '../paint.ts';
import { safe, safeJson } from '../safe-text.ts';
import { openedPolicy, type PolicyFlags, policyFiles } from './opened.ts';
import { count, few } from './words.ts';

export interface DiffFlags extends PolicyFlags {
  readonly oldFabric?: string;
  readonly json?: boolean;
}

type Diff = Awaited<ReturnType<typeof import('../../policy/meaning/index.ts').diffPolicies>>;

/**
 * `cci policy diff OLD NEW`: what changed in meaning. Ends with 3 when anybody may do more than before, so that a review
 * pipeline can stop there; with 0 when the policies mean the same or the new one allows less.
 */
export async function diff(io: Io, before: string, after: string, flags: DiffFlags): Promise<ExitCode> {
  const files = await policyFiles(flags);
  const oldFabric = flags.oldFabric === undefined ? files.fabricFile : resolve(flags.oldFabric);
  const was = await openedPolicy({ ...files, directory: resolve(before), fabricFile: oldFabric });
  const is = await openedPolicy({ ...files, directory: resolve(after) });
  const { diffPolicies } = await import('../../policy/meaning/index.ts');
  const found = await diffPolicies(was, is);
  io.out(flags.json === true ? `${safeJson(found)}\n` : text(found, paint(io)));
  return found.widened ? EXIT.denied : EXIT.done;
}

function text(found: Diff, colours: Paint): string {
  const { grants, mandatory, commands, before, after, widened, narrowed } = found;
  const parts: string[] = commands.map(({ kind, slug, opcode }) => {
    const colour = kind === 'changed' ? colours.red : colours.bold;
    const look = kind === 'changed' ? ': look at what the new review says of it' : '';
    return `${colour(kind)}  reviewed vendor command ${safe(slug)} (${hex16(opcode)})${look}\n\n`;
  });
  for (const kind of ['widened', 'narrowed'] as const) {
    const colour = kind === 'widened' ? colours.red : colours.green;
    for (const change of grants.filter((one) => one.kind === kind)) {
      parts.push(`${colour(kind)}  tenant ${safe(change.tenant)}: ${whoText(change)}\n`);
      parts.push(`  ${few(change.commands)}\n    on ${few(change.resources)}\n`);
      parts.push(`  before: ${standing(change.before)}\n  after:  ${standing(change.after)}\n\n`);
    }
    for (const change of mandatory.filter((one) => one.kind === kind)) {
      const [past, now] = kind === 'widened' ? ['denied', 'not denied'] : ['not denied', 'denied'];
      parts.push(
        `${colour(kind)}  mandatory row ${safe(change.id)} (${safe(change.source)}): ${safe(change.reason)}\n`,
      );
      parts.push(`  ${few(change.commands)}\n    ${circumstances(change)}\n`);
      parts.push(`  before: ${past}\n  after:  ${now}\n\n`);
    }
  }
  const sum = widened
    ? 'widened: somebody may do more than before'
    : narrowed
      ? 'narrowed: nobody may do more than before, somebody less'
      : 'equal in meaning';
  return `${parts.join('')}${widened ? colours.red(sum) : colours.green(sum)} (${before.slice(0, 12)} to ${after.slice(0, 12)})\n`;
}

function whoText({ who }: Diff['grants'][number]): string {
  const texts = who.map(({ names, also }) => {
    const all = names.map(safe).join(' together with ');
    const everybody = names.length === 1 && /^group:tenant\/[^#]*$/.test(names[0] ?? '');
    return `${everybody ? 'everybody' : all}${also.length === 0 ? '' : ` and ${count(also.length, 'name')} with the same roles`}`;
  });
  return few(texts, 4);
}

function standing({ allowed, because, rows }: Diff['grants'][number]['before']): string {
  const by = rows.length === 0 ? '' : ` by ${few(rows)}`;
  switch (because) {
    case 'grant':
      return `allowed${by}`;
    case 'deny':
      return `denied${by}`;
    case 'ownership':
      return "denied: it is not the tenant's";
    case 'no-command':
      return 'denied: there is no such command';
    case 'no-row':
      return allowed ? 'allowed' : 'denied: no row allows it';
  }
}

function circumstances({ reaches, levels, profiles, taints, conditions }: Diff['mandatory'][number]): string {
  return [
    `profile ${profiles.join(' or ')}`,
    `lockdown ${levels.join(' or ')}`,
    ...(taints.length === 0 ? [] : [`taint ${taints.join(' or ')}`]),
    `reach ${reaches.join(' or ')}`,
    ...(conditions.length === 0 ? [] : [`if ${conditions.join(' and ')}`]),
  ].join('; ');
}
