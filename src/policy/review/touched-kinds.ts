import type { CommandRow, Component } from '../../cci/index.ts';
import type { PathKind } from '../fabric/index.ts';

/** What commands of the switch touch, by opcode; every other one touches the switch itself. */
const onSwitch: ReadonlyMap<number, readonly PathKind[]> = new Map([
  [0x5101, ['port']],
  [0x5102, ['port']],
  [0x5103, ['port']],
  [0x5106, ['vcs']],
  [0x5107, ['vcs']],
  [0x5200, ['vcs']],
  [0x5201, ['vppb', 'port', 'ld']],
  [0x5202, ['vppb', 'port', 'ld']],
  [0x5203, ['vcs', 'vppb']],
  [0x5301, ['port', 'ld']],
  [0x5302, ['port', 'ld']],
]);

/** Opcodes that touch something else than the switch; a test holds this against the resolver. */
export const switchKindOpcodes: ReadonlySet<number> = new Set(onSwitch.keys());

/** What can be touched at the end of a tunnel. */
const onDevice: ReadonlyMap<Component, readonly PathKind[]> = new Map<Component, readonly PathKind[]>([
  ['sld', ['port']],
  ['fm-owned-ld', ['port', 'ld']],
  ['ld', ['ld']],
  ['ld-pool-cci', ['ldpool', 'port', 'ld']],
]);

const everyKind: readonly PathKind[] = ['switch', 'port', 'ld', 'ldpool', 'head', 'host', 'tag', 'vcs', 'vppb'];

/** Kinds of objects that a command can touch, wherever it is executed. */
export function touchedKinds(row: CommandRow): ReadonlySet<PathKind> {
  // What a reviewed vendor command touches its own file says; here any kind will do.
  if (row.vendor !== undefined) return new Set(everyKind);
  const kinds = new Set<PathKind>();
  for (const component of row.executesOn) {
    const touched = component === 'switch' ? (onSwitch.get(row.opcode) ?? ['switch']) : onDevice.get(component);
    for (const kind of touched ?? []) kinds.add(kind);
  }
  if (row.opcode === 0x5501) kinds.add('head');
  if (row.set === 'dcd-management') for (const kind of ['host', 'tag'] as const) kinds.add(kind);
  return kinds;
}
