import { type Dialect, RC } from '../../cci/index.ts';
import { type Answer, refused } from './command.ts';
import { EmulatorControl } from './control.ts';
import { dispatchToSwitch } from './dispatch.ts';
import type { EmulatorEvent } from './events.ts';
import type { CarrierFault } from './faults.ts';
import { Machine } from './machine.ts';
import { type Clock, DEFAULT_MAX_PAYLOAD, defaultTiming, type EmulatorOptions } from './options.ts';
import { restoreState, saveState } from './save.ts';
import { advance } from './timers.ts';
import type { Topology } from './topology.ts';

/** Reply of the emulated switch with the background bit of its header. */
export interface SwitchReply extends Answer {
  readonly background: boolean;
  /** What an armed fault does to the reply on its way; null in peace. */
  readonly carrier: CarrierFault | null;
}

/** An emulated switch in this process: commands go in, replies come out, at once. */
export class Emulator {
  readonly machine: Machine;

  readonly control: EmulatorControl;
  /** What the emulator itself last did wrong; undefined while it did not. */
  lastError: unknown;

  constructor(machine: Machine) {
    this.machine = machine;
    this.control = new EmulatorControl(machine);
  }

  /** Executes one command of the switch CCI at the time of the clock. Never throws for anything a client can send. */
  execute(opcode: number, payload: Uint8Array, dialect: Dialect = 'spec'): SwitchReply {
    const { machine } = this;
    advance(machine);
    if (machine.state.stuckCommands > 0) {
      machine.state.stuckCommands--;
      return { ...refused(RC.busy), background: false, carrier: { kind: 'stuck-doorbell', rung: false } };
    }
    machine.carrier = null;
    const { returnCode, vendorStatus, payload: reply } = this.dispatch(opcode, payload, dialect);
    const background = machine.state.cci.background !== null;
    return { returnCode, vendorStatus, payload: reply, background, carrier: machine.carrier };
  }

  /** A mistake of the emulator itself must not end the process that serves it: the client sees 0004h. */
  private dispatch(opcode: number, payload: Uint8Array, dialect: Dialect): Answer {
    try {
      return dispatchToSwitch(this.machine, opcode, payload, dialect);
    } catch (error) {
      this.lastError = error;
      return refused(RC.internalError);
    }
  }

  /** The whole state as JSON text. */
  save(): string {
    advance(this.machine);
    return saveState(this.machine);
  }

  /** Goes on from a saved state of the same topology. @throws SavedStateError */
  restore(text: string): void {
    restoreState(this.machine, text);
  }

  /** Lets everything happen that is due, without a command. */
  advance(): void {
    advance(this.machine);
  }

  /** Hears of event records and of ended background operations. @returns how to stop */
  onEvent(observer: (event: EmulatorEvent) => void): () => void {
    return this.machine.observe(observer);
  }
}

/**
 * Makes an emulated switch.
 *
 * @param clock milliseconds, only forwards; a test passes its own
 */
export function createEmulator(
  topology: Topology,
  options: Omit<EmulatorOptions, 'topology'> = {},
  clock: Clock = () => performance.now(),
): Emulator {
  const machine = new Machine(topology, {
    seed: options.seed ?? 1,
    maxPayload: options.maxPayload ?? DEFAULT_MAX_PAYLOAD,
    support: options.support ?? topology.behaviour.support ?? 'strict',
    eventLogSize: options.eventLogSize ?? 64,
    timing: { ...defaultTiming, ...topology.behaviour.timing, ...options.timing },
    clock,
  });
  const emulator = new Emulator(machine);
  for (const rule of options.faults ?? []) emulator.control.inject(rule);
  return emulator;
}
