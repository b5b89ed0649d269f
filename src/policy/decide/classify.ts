import { CEL_UUID, type Hop, hex16, type Scope, type Value } from '../../cci/index.ts';
import type { CommandRef } from '../engine.ts';
import type { CommandClass, TopologyView } from '../types.ts';
import type { Shape } from './structure.ts';

/** Effect bits 1-5: immediate changes and security state. Bits 7-15 have no agreed meaning (D07), 0 and 6 change nothing now. */
const IMMEDIATE_EFFECTS = 0x3e;

/** Why a command is raw. `cel`: its device declares effects that the catalogue does not know. */
export type RawCause = 'submitted' | 'no-row' | 'unverified' | 'cel';

/**
 * Why a command is of class raw, if it is; told without looking at the payload, because the raw gate comes before it.
 * A tunnel is of the class of its innermost command: the layers around it add nothing.
 */
export function rawCause(shape: Shape, topology: TopologyView): RawCause | undefined {
  if (shape.submittedAs === 'raw') return 'submitted';
  if (shape.row === undefined) return 'no-row';
  if (shape.typed === undefined) return 'unverified';
  return undeclaredEffects(shape, topology) === 0 ? undefined : 'cel';
}

/**
 * Effect bits 1-5 that the CEL of the addressed CCI declares above the catalogue row and above what the device is known
 * for. Fewer bits mean nothing (policy section 3).
 */
export function undeclaredEffects(shape: Shape, topology: TopologyView): number {
  if (shape.row === undefined) return 0;
  const declared = topology.cel(shape.hops)?.get(shape.opcode) ?? 0;
  const known = (shape.row.effects ?? 0) | (topology.toleratedEffects?.get(shape.opcode) ?? 0);
  return declared & IMMEDIATE_EFFECTS & ~known;
}

/**
 * Does the broker answer it from what it keeps for the caller's tenant? On the switch's own CCI only: behind a tunnel
 * there is nothing of the kind. Raw commands mean the device.
 */
export function isVirtual(shape: Shape, cause: RawCause | undefined): boolean {
  return shape.typed?.virtual !== undefined && shape.hops.length === 0 && cause === undefined;
}

/** Class and scope by policy section 1. */
export function classify(
  shape: Shape,
  params: Value | undefined,
  cause: RawCause | undefined,
): { readonly class: CommandClass; readonly scope: Scope } {
  return { class: cause === undefined ? cleanClass(shape, params) : 'raw', scope: scopeOf(shape, params) };
}

function cleanClass(shape: Shape, params: Value | undefined): CommandClass {
  switch (shape.row?.allowlisted) {
    case 'everywhere':
      return 'allowlisted';
    case 'tunnelled':
      return isTunnelled(shape.hops) ? 'allowlisted' : 'audited';
    case 'cel-only':
      return namesOtherLog(params) ? 'audited' : 'allowlisted';
    default:
      return 'audited';
  }
}

/** An opcode nobody reviewed may do anything: the strictest. Reading a log other than the CEL is debug reading. */
function scopeOf(shape: Shape, params: Value | undefined): Scope {
  if (shape.row === undefined) return 3;
  return shape.row.allowlisted === 'cel-only' && namesOtherLog(params) && shape.row.scope < 1 ? 1 : shape.row.scope;
}

/** Does a log command name anything but the Command Effects Log? Unreadable parameters count as another log. */
export function namesOtherLog(params: Value | undefined): boolean {
  return params?.log_identifier !== CEL_UUID;
}

function isTunnelled(hops: readonly Hop[]): boolean {
  return hops.length > 0;
}

/** The command as the rules see it. */
export function commandRef(shape: Shape, commandClass: CommandClass, scope: Scope): CommandRef {
  const { row, opcode } = shape;
  if (row === undefined) return { opcode, class: commandClass, scope };
  const ref = { opcode, slug: row.slug, set: row.set, class: commandClass, scope };
  return row.grant === undefined ? ref : { ...ref, grant: row.grant };
}

/** Slug of the row, or `opcode:0xc010`. */
export function commandName(shape: Shape): string {
  return shape.row?.slug ?? `opcode:${hex16(shape.opcode)}`;
}

/**
 * Does it change state? Where the content decides, a write does. What was not reviewed, and what its device says has
 * effects that we do not know, is taken to.
 */
export function isMutating(shape: Shape, params: Value | undefined, cause: RawCause | undefined): boolean {
  if (shape.row === undefined || cause === 'cel') return true;
  // What changes is the caller's own view.
  if (isVirtual(shape, cause)) return false;
  if (shape.row.mutating !== 'by-content') return shape.row.mutating;
  const control = params?.request_control;
  return !(typeof control === 'object' && 'transaction_type' in control && control.transaction_type === 'read');
}
