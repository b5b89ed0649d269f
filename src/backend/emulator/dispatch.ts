import { type Dialect, RC } from '../../cci/index.ts';
import { type Answer, type Context, refused } from './command.ts';
import { underFaults } from './faults.ts';
import type { Machine } from './machine.ts';
import { switchTarget, type Target } from './targets.ts';

/** Bytes in front of a payload in an MCTP message body: message type and CCI header. */
const MESSAGE_OVERHEAD = 13;

/** Largest reply payload of a CCI under the limit that 0004h set for it. */
export function limitOf(exponent: number): number {
  return 2 ** exponent - MESSAGE_OVERHEAD;
}

/** Runs one command on one component. Never throws for anything a client can send. */
export function dispatch(context: Context, opcode: number, payload: Uint8Array): Answer {
  return underFaults(context, opcode, () => run(context, opcode, payload));
}

function run(context: Context, opcode: number, payload: Uint8Array): Answer {
  const { target } = context;
  const command = target.offers.get(opcode);
  if (command === undefined) {
    return refused(target.elsewhere.has(opcode) ? RC.unsupportedMailboxOrCci : RC.unsupported);
  }
  const answer = command.run(context, payload);
  // Lists are cut to the budget by their commands; what is left asked for more than may be sent.
  return answer.payload.length > context.budget ? refused(RC.invalidInput) : answer;
}

const switches = new WeakMap<Machine, { readonly state: object; readonly target: Target }>();

/** The switch as a target, kept until the machine gets another state. */
export function switchOf(machine: Machine): Target {
  const known = switches.get(machine);
  if (known !== undefined && known.state === machine.state) return known.target;
  const target = switchTarget(machine);
  switches.set(machine, { state: machine.state, target });
  return target;
}

/** Runs a command on the switch itself. */
export function dispatchToSwitch(machine: Machine, opcode: number, payload: Uint8Array, dialect: Dialect): Answer {
  const target = switchOf(machine);
  const budget = Math.min(machine.options.maxPayload, limitOf(target.cci.limit));
  return dispatch({ machine, target, budget, dialect, layer: 0, dispatch }, opcode, payload);
}
