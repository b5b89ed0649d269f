import { isProblem, parseSelector } from '../casbin/selector.ts';
import type { RuleEngine } from '../engine.ts';
import type { MatrixFilter } from './matrix.ts';
import { type QuestionProblem, resourceProblem, unknownTenant } from './question.ts';

export type ParsedFilter =
  | { readonly ok: true; readonly filter: MatrixFilter }
  | { readonly ok: false; readonly problem: QuestionProblem };

/** Reads the filters of `cci policy matrix`. What is not there is a mistake, not an empty table. */
export function parseMatrixFilter(
  texts: {
    readonly tenant?: string | undefined;
    readonly command?: string | undefined;
    readonly resource?: string | undefined;
  },
  { fabric, commands }: Pick<RuleEngine, 'fabric' | 'commands'>,
): ParsedFilter {
  const { tenant, command, resource } = texts;
  if (tenant !== undefined && !fabric.tenants.includes(tenant)) {
    return { ok: false, problem: unknownTenant(tenant, fabric) };
  }
  const selector = command === undefined ? undefined : parseSelector(command, commands);
  if (selector !== undefined && isProblem(selector)) {
    return { ok: false, problem: { message: selector.message, help: selector.help } };
  }
  const wrong = resource === undefined ? undefined : resourceProblem(resource, fabric);
  if (wrong !== undefined) return { ok: false, problem: wrong };
  return {
    ok: true,
    filter: {
      ...(tenant === undefined ? {} : { tenant }),
      ...(command === undefined || selector === undefined ? {} : { command: { text: command, selector } }),
      ...(resource === undefined ? {} : { resource }),
    },
  };
}
