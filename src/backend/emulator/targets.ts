import { type CommandRow, catalogue } from '../../cci/index.ts';
import type { Command } from './command.ts';
import { commandByOpcode } from './commands/index.ts';
import type { Machine } from './machine.ts';
import type { CciState, ComponentKind, DeviceState, LdState } from './state.ts';
import { withVendorCommands } from './vendor-commands.ts';

/** A component as commands see it: its CCI and what lies behind. */
export interface Target {
  readonly kind: ComponentKind;
  readonly cci: CciState;
  /** undefined for the switch. */
  readonly device: DeviceState | undefined;
  /** Only for an LD. */
  readonly ld: LdState | undefined;
  /** The port a tunnel came through; undefined for the switch. */
  readonly port: number | undefined;
  /** Commands that this CCI answers: what its CEL lists. */
  readonly offers: ReadonlyMap<number, Command>;
  /** Commands that the component knows but not on this kind of CCI. */
  readonly elsewhere: ReadonlySet<number>;
}

interface Offer {
  readonly offers: ReadonlyMap<number, Command>;
  readonly elsewhere: ReadonlySet<number>;
}

/** What decides beside the kind of component whether a command is there. */
interface Traits {
  readonly kind: ComponentKind;
  readonly pbr: boolean;
  readonly dcd: boolean;
  readonly pooled: boolean;
  readonly multiHeaded: boolean;
  readonly support: 'strict' | 'all';
}

const known = new Map<string, Offer>();

/** The switch, as the CCI of a fabric manager sees it. */
export function switchTarget(machine: Machine): Target {
  return {
    kind: 'switch',
    cci: machine.state.cci,
    device: undefined,
    ld: undefined,
    port: undefined,
    ...offersHere(machine, {
      kind: 'switch',
      pbr: machine.topology.switch.pbr,
      dcd: false,
      pooled: false,
      multiHeaded: false,
      support: machine.options.support,
    }),
  };
}

/** A component of a device: its own CCI, one LD, or the LD pool. */
export function deviceTarget(
  machine: Machine,
  device: DeviceState,
  port: number,
  part: 'device' | 'pool' | LdState,
): Target | undefined {
  const cci = part === 'device' ? device.cci : part === 'pool' ? device.pool : part.cci;
  if (cci === null) return undefined;
  const spec = machine.specOf(device);
  const traits: Traits = {
    kind: cci.kind,
    pbr: false,
    dcd: device.dcd !== null,
    pooled: device.pool !== null,
    multiHeaded: spec.heads > 1,
    support: machine.options.support,
  };
  return {
    kind: cci.kind,
    cci,
    device,
    ld: typeof part === 'string' ? undefined : part,
    port,
    ...offersHere(machine, traits),
  };
}

function offersHere(machine: Machine, traits: Traits): Offer {
  const { offers, elsewhere } = offersOf(traits);
  return { offers: withVendorCommands(machine, traits.kind, offers), elsewhere };
}

function offersOf(traits: Traits): Offer {
  const key = Object.values(traits).join();
  const found = known.get(key);
  if (found !== undefined) return found;
  const offers = new Map<number, Command>();
  const elsewhere = new Set<number>();
  for (const row of catalogue as readonly CommandRow[]) {
    const command = commandByOpcode.get(row.opcode);
    if (command === undefined || !has(row, traits)) continue;
    if (traits.support === 'all' || !prohibited(row, traits.kind)) offers.set(row.opcode, command);
    else elsewhere.add(row.opcode);
  }
  const offer = { offers, elsewhere };
  known.set(key, offer);
  return offer;
}

/** Is it a command that this component executes at all? */
function has(row: CommandRow, traits: Traits): boolean {
  const set = row.opcode >> 8;
  // A multi-headed SLD has an LD pool CCI too, and only a tunnel leads to it.
  if (row.opcode === 0x5300 && traits.kind === 'sld') return traits.pooled;
  if (!row.executesOn.includes(traits.kind)) return false;
  // Event Notification goes from a component to its requester; answered only for tools that try it.
  if (row.opcode === 0x0106) return traits.support === 'all';
  if (set === 0x48 || set === 0x56) return traits.dcd;
  if (set === 0x55) return traits.multiHeaded || traits.kind === 'ld-pool-cci';
  if (set === 0x57) return traits.pbr;
  return true;
}

function prohibited(row: CommandRow, kind: ComponentKind): boolean {
  return (kind === 'switch' ? row.support.switchFmInterface : row.support.type3Mctp) === 'P';
}
