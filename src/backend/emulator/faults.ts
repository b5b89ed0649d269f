import { type CciMessage, type Field, rowByOpcode } from '../../cci/index.ts';
import { bindBehindBack, unbindBehindBack } from './bindings.ts';
import { type Answer, type Context, refused } from './command.ts';
import type { Fault, FaultRule } from './fault-schema.ts';
import type { Machine } from './machine.ts';
import { conventionalReset, powerCycleSwitch } from './resets.ts';

/** A rule with how often it has matched and struck. */
export interface FaultState {
  readonly rule: FaultRule;
  matches: number;
  strikes: number;
}

/**
 * What happens to the reply of a command on its way, not in it. In this process the backend acts on it, on the wire
 * the listener does.
 */
export type CarrierFault =
  | { readonly kind: 'late'; readonly ms: number }
  | { readonly kind: 'missing' | 'duplicate' | 'wrong-opcode' | 'wrong-tag' }
  /** `rung`: this command was the one that got stuck; else it found the doorbell set and was not sent. */
  | { readonly kind: 'stuck-doorbell'; readonly rung: boolean };

const INTERNAL_ERROR = 0x0004;
/** Faults that strike before a command is done. */
const BEFORE: readonly Fault['kind'][] = [
  'stuck-doorbell',
  'reset',
  'power-cycle',
  'bind-behind-back',
  'unbind-behind-back',
];

/** Arms a rule. A CEL begins to lie at once. */
export function arm(machine: Machine, rule: FaultRule): void {
  if (rule.fault.kind === 'cel-lies') {
    machine.state.celLies = { hide: [...rule.fault.hide], invent: [...rule.fault.invent] };
    return;
  }
  machine.state.faults.push({ rule, matches: 0, strikes: 0 });
}

/** Takes the faults that strike a command now, and forgets rules that are used up. */
function strike(machine: Machine, layer: number, opcode: number, before: boolean): readonly Fault[] {
  const struck: Fault[] = [];
  for (const state of machine.state.faults) {
    const { rule } = state;
    if (BEFORE.includes(rule.fault.kind) !== before) continue;
    if ((rule.layer ?? 0) !== layer || (rule.opcode !== undefined && rule.opcode !== opcode)) continue;
    state.matches++;
    if (state.matches <= (rule.skip ?? 0)) continue;
    if (rule.probability !== undefined && machine.random() >= rule.probability) continue;
    state.strikes++;
    struck.push(rule.fault);
  }
  if (struck.length > 0) {
    machine.state.faults = machine.state.faults.filter(({ rule, strikes }) => strikes < (rule.times ?? 1));
  }
  return struck;
}

/** Runs a command with whatever is armed for it. Costs nothing while no rule is. */
export function underFaults(context: Context, opcode: number, run: () => Answer): Answer {
  const { machine, layer, target } = context;
  if (machine.state.faults.length === 0) return run();
  for (const fault of strike(machine, layer, opcode, true)) {
    switch (fault.kind) {
      case 'stuck-doorbell':
        machine.state.stuckCommands = fault.commands ?? Number.MAX_SAFE_INTEGER;
        machine.carrier = { kind: 'stuck-doorbell', rung: true };
        return refused(INTERNAL_ERROR);
      case 'power-cycle':
        powerCycleSwitch(machine);
        machine.carrier = { kind: 'missing' };
        return refused(INTERNAL_ERROR);
      case 'reset':
        if (target.device === undefined) powerCycleSwitch(machine);
        else conventionalReset(machine, target.device);
        machine.carrier = { kind: 'missing' };
        return refused(INTERNAL_ERROR);
      case 'bind-behind-back':
        bindBehindBack(machine, fault.vcs, fault.vppb, fault.port, fault.ld ?? null);
        break;
      case 'unbind-behind-back':
        unbindBehindBack(machine, fault.vcs, fault.vppb);
        break;
      default:
        break;
    }
  }
  let answer = run();
  for (const fault of strike(machine, layer, opcode, false)) answer = spoil(context, opcode, answer, fault);
  return answer;
}

function spoil(context: Context, opcode: number, answer: Answer, fault: Fault): Answer {
  const { machine, layer, target } = context;
  const { payload } = answer;
  switch (fault.kind) {
    case 'late':
      machine.carrier = { kind: 'late', ms: fault.ms };
      return answer;
    case 'missing':
    case 'duplicate':
      machine.carrier = { kind: fault.kind };
      return answer;
    case 'wrong-opcode':
    case 'wrong-tag':
      if (layer === 0) machine.carrier = { kind: fault.kind };
      else machine.innerFaults.push({ layer, kind: fault.kind });
      return answer;
    case 'truncated':
      return { ...answer, payload: payload.slice(0, Math.max(0, payload.length - fault.bytes)) };
    case 'oversized': {
      const longer = new Uint8Array(payload.length + fault.bytes);
      longer.set(payload);
      for (let i = payload.length; i < longer.length; i++) longer[i] = Math.floor(machine.random() * 256);
      return { ...answer, payload: longer };
    }
    case 'wrong-return-code':
      return { ...answer, returnCode: fault.returnCode };
    case 'count-byte-order':
      return { ...answer, payload: reverseCounter(opcode, payload) };
    case 'endless-background':
      if (target.cci.background !== null) target.cci.background.endMs = null;
      return answer;
    default:
      return answer;
  }
}

/** The header of an inner reply, with the faults that were taken for its layer. */
export function innerReply(context: Context, reply: CciMessage): CciMessage {
  const { machine, layer } = context;
  if (machine.innerFaults.length === 0) return reply;
  let spoiled = reply;
  for (const fault of machine.innerFaults) {
    if (fault.layer !== layer) continue;
    spoiled = spoilHeader(spoiled, fault.kind);
  }
  machine.innerFaults = machine.innerFaults.filter((fault) => fault.layer !== layer);
  return spoiled;
}

/** A header that answers something else. */
export function spoilHeader(reply: CciMessage, kind: 'wrong-opcode' | 'wrong-tag'): CciMessage {
  return kind === 'wrong-tag' ? { ...reply, tag: (reply.tag + 1) & 0xff } : { ...reply, opcode: reply.opcode ^ 0x0001 };
}

/** Reverses the first counter that has more than one byte. */
function reverseCounter(opcode: number, payload: Uint8Array): Uint8Array {
  const fields: readonly Field[] = rowByOpcode(opcode)?.response?.fields ?? [];
  let offset = 0;
  for (const field of fields) {
    if (field.kind === 'list') break;
    const width = field.kind === 'bytes' ? (typeof field.extent === 'number' ? field.extent : 0) : field.width;
    if (field.kind === 'count' && width > 1 && offset + width <= payload.length) {
      const copy = payload.slice();
      copy.set(payload.slice(offset, offset + width).reverse(), offset);
      return copy;
    }
    offset += width;
  }
  return payload;
}
