import type { Errno, Reason, Step } from '../types.ts';

/** The steps of policy section 3 in their order: the first that fails gives the errno. */
export const stepOrder: readonly Step[] = [
  'structure',
  'raw-gate',
  'payload',
  'cel',
  'exclusive',
  'offered',
  'mandatory',
  'scope',
  'ownership',
  'grant',
  'quota',
];

export function reason(step: Step, errno: Errno, rule: string, text: string): Reason {
  return { step, errno, rule, text };
}

/** The same reasons, none less, by the order of their steps; within a step as they came. A step that is none comes first. */
export function inStepOrder(reasons: readonly Reason[]): readonly Reason[] {
  return reasons.toSorted((a, b) => stepOrder.indexOf(a.step) - stepOrder.indexOf(b.step));
}
