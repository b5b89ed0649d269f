import type { CommandTable } from '../../cci/index.ts';
import { isProblem, parseSelector, type Selector } from '../casbin/selector.ts';
import type { RuleEngine } from '../engine.ts';
import { closest } from '../load/closest.ts';
import { visible } from '../load/error.ts';
import { canonicalCallerName, isCallerName, isRoleName } from '../names.ts';
import type { Fabric, ResourcePath } from '../types.ts';

/** Whom a question is about. */
export type Asker =
  | { readonly kind: 'anyone' }
  | { readonly kind: 'tenant'; readonly tenant: string }
  | { readonly kind: 'name' | 'role'; readonly name: string; readonly tenant: string | undefined };

/** A question in the words of `cci policy query`. */
export interface Question {
  /** `who`: list all of them; `can`: yes or no. */
  readonly kind: 'can' | 'who';
  readonly who: Asker;
  /** Does it count what he could do with other names beside the one that is asked about? */
  readonly ever: boolean;
  /** A slug or a selector, as grants have them. */
  readonly command: string;
  readonly selector: Selector;
  /** A path, or a path that ends in a star. */
  readonly resource: string;
}

/** Why a text is not a question. */
export interface QuestionProblem {
  /** One sentence, lower case. */
  readonly message: string;
  readonly help: string;
}

export type ParsedQuestion =
  | { readonly ok: true; readonly question: Question }
  | { readonly ok: false; readonly problem: QuestionProblem };

const FORMS =
  'write `can WHO [of TENANT] [ever] COMMAND on RESOURCE` or `who can COMMAND on RESOURCE`, such as `can globex ever bind-vppb on /switches/sw0/ports/4`';
const WHO_FORMS =
  'write a tenant, `anyone`, `user:ISSUER#SUBJECT`, `group:ISSUER#NAME`, `group:tenant/T` or `role:NAME`';
const RAW_HELP = 'raw commands are asked for by opcode: `opcode:0xc010` or `opcode:0xc000-0xc0ff`';

/** More is no question that anybody would write. */
const TEXT_MAX = 2000;

/** Reads a question. A tenant, command or object that there is not is a mistake, not a `no`. */
export function parseQuestion(
  text: string,
  { fabric, commands }: Pick<RuleEngine, 'fabric' | 'commands'>,
): ParsedQuestion {
  const words = text.slice(0, TEXT_MAX).trim().replace(/\?$/, '').split(/\s+/);
  const on = words.lastIndexOf('on');
  const [command, resource, ...more] = [words[on - 1], words[on + 1], ...words.slice(on + 2)];
  const head = words.slice(0, Math.max(0, on - 1));
  if (on < 2 || command === undefined || resource === undefined || more.length > 0)
    return problem('this is not a question', FORMS);
  const ever = head.at(-1) === 'ever';
  const asked = ever ? head.slice(0, -1) : head;
  const who = asked.join(' ') === 'who can' ? ({ kind: 'anyone' } as const) : askerOf(asked, fabric);
  if ('message' in who) return { ok: false, problem: who };
  const selector = commandOf(command, commands);
  if ('message' in selector) return { ok: false, problem: selector };
  const wrong = resourceProblem(resource, fabric);
  if (wrong !== undefined) return { ok: false, problem: wrong };
  const kind = asked[0] === 'who' ? 'who' : 'can';
  return { ok: true, question: { kind, who, ever: ever || kind === 'who', command, selector, resource } };
}

function problem(message: string, help: string): ParsedQuestion {
  return { ok: false, problem: { message, help } };
}

function askerOf([can, who, of, tenant, ...more]: readonly string[], fabric: Fabric): Asker | QuestionProblem {
  const isWhole = more.length === 0 && (of === undefined || (of === 'of' && tenant !== undefined));
  if (can !== 'can' || who === undefined || !isWhole) return { message: 'this is not a question', help: FORMS };
  if (tenant !== undefined && !fabric.tenants.includes(tenant)) return unknownTenant(tenant, fabric);
  if (who === 'anyone') return tenant === undefined ? { kind: 'anyone' } : { kind: 'tenant', tenant };
  if (who.startsWith('role:')) {
    if (isRoleName(who)) return { kind: 'role', name: who, tenant };
    return { message: `\`${visible(who)}\` is not a role`, help: WHO_FORMS };
  }
  if (!who.includes(':')) {
    if (!fabric.tenants.includes(who)) return unknownTenant(who, fabric);
    if (tenant === undefined) return { kind: 'tenant', tenant: who };
    return { message: 'a tenant is of no tenant', help: FORMS };
  }
  if (!isCallerName(who)) {
    const canonical = canonicalCallerName(who);
    const help = canonical === undefined ? WHO_FORMS : `claims are encoded: write \`${visible(canonical)}\``;
    return { message: `\`${visible(who)}\` is not a name that a caller can have`, help };
  }
  const own = who.startsWith('group:tenant/') && !who.includes('#') ? who.slice('group:tenant/'.length) : undefined;
  if (own === undefined) return { kind: 'name', name: who, tenant };
  if (!fabric.tenants.includes(own)) return unknownTenant(own, fabric);
  if (tenant !== undefined && tenant !== own) return { message: `nobody of \`${tenant}\` has \`${who}\``, help: FORMS };
  return { kind: 'name', name: who, tenant: own };
}

/** A tenant that is not there, with the one that was probably meant. */
export function unknownTenant(name: string, fabric: Fabric): QuestionProblem {
  const near = closest(name, fabric.tenants);
  const help = near === undefined ? `the tenants are ${fabric.tenants.join(', ')}` : `did you mean \`${near}\`?`;
  return { message: `there is no tenant \`${visible(name)}\` in the fabric file`, help };
}

function commandOf(text: string, commands: CommandTable): Selector | QuestionProblem {
  const selector = parseSelector(text, commands);
  if (isProblem(selector)) return { message: selector.message, help: selector.help };
  // What would have to hold for a console is no question of grants alone; nobody may read `nobody` out of half of it.
  if (selector.kind === 'console')
    return { message: `\`${selector.word}\` is no command`, help: 'the matrix and the diff tell who has its rows' };
  if (selector.kind === 'class' && selector.class === 'raw')
    return { message: '`class:raw` is too many commands', help: RAW_HELP };
  if (selector.kind === 'slug' && commands.rowBySlug(selector.slug)?.status !== 'verified') {
    return { message: `\`${selector.slug}\` is raw, its layout is not confirmed`, help: RAW_HELP };
  }
  return selector;
}

/** Among more objects a near miss is not looked for. */
const SUGGEST_FROM = 2000;

/** Why a text is neither an object of the fabric nor a tree with objects in it. */
export function resourceProblem(text: string, fabric: Fabric): QuestionProblem | undefined {
  const base = text.endsWith('/*') ? text.slice(0, -2) : text;
  const isBase = text !== base && (base === '/switches' || fabric.objects.some((path) => path.startsWith(`${base}/`)));
  if (isBase || fabric.exists(base as ResourcePath)) return undefined;
  const near = fabric.objects.length > SUGGEST_FROM ? undefined : closest(base, fabric.objects);
  const help =
    near === undefined
      ? 'write a path such as `/switches/sw0/ports/2`, or one that ends in `/*`'
      : `did you mean \`${near}\`?`;
  return { message: `\`${visible(text)}\` is not in the fabric file`, help };
}
