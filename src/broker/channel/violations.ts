/**
 * What an edge can do that ends it. An edge that is what we wrote does none of it: somebody else speaks for it, or it has
 * a defect, and either way nothing that it says later can be believed. Codes are stable: they stand in the journal.
 */
export const violations = {
  frame: 'bytes that are no frame, or a frame longer than allowed',
  kind: 'a kind of frame that there is not, or not at this time',
  method: 'a method that there is not',
  oversize: 'a request larger than its method allows',
  text: 'text that is no UTF-8, no JSON, or nested too deep',
  arguments: 'arguments that the method does not take',
  number: 'the number of a request that is under way already',
  slot: 'a slot that there is not',
  flood: 'more requests under way than allowed',
  unanswered: 'more frames without an answer than its requests account for',
  unread: 'answers that it does not read',
} as const;

export type Violation = keyof typeof violations;
