import type { PolicyRules } from '../casbin/rules.ts';
import type { MandatorySelector } from '../casbin/selector.ts';
import type { RuleEngine } from '../engine.ts';
import { atomsOf } from './atoms.ts';
import { Selections } from './selections.ts';

/** A loaded policy as the tools look at it: its rows, and the engine that has the last word on them. */
export interface Side {
  readonly rules: PolicyRules;
  /** Its fabric and its commands are those that the rows are read with. */
  readonly engine: RuleEngine;
}

/** The commands that rows of any of the policies tell apart. */
export function selectionsOf(sides: readonly Side[], withMandatory: boolean): Selections {
  const selectors: MandatorySelector[] = [];
  for (const { rules } of sides) {
    for (const { selector } of rules.grants) selectors.push(selector);
    if (withMandatory) for (const { command } of rules.mandatory) selectors.push(...command.selectors);
  }
  const tables = sides.map(({ engine }) => engine.commands);
  return new Selections(atomsOf(tables, selectors), tables);
}
