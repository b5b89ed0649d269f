import type { ChardevOptions } from './options.ts';

/**
 * The kernel's ids of commands: positions in a list that only grows. Only commands that its maintainers reviewed are in
 * it, and none of the switch commands of mainline's list so far: those go as raw commands, or by ids from the
 * configuration where a driver has them. Source: `linux/cxl_mem.h`.
 */
const mainline: readonly (readonly [opcode: number, id: number])[] = [
  [0x4000, 1],
  [0x0400, 3],
  [0x0200, 4],
  [0x4100, 5],
  [0x4102, 6],
  [0x4200, 7],
  [0x0401, 8],
  [0x4101, 9],
  [0x4103, 10],
  [0x4201, 11],
  [0x4202, 12],
  [0x4203, 13],
  [0x4204, 14],
  [0x4303, 18],
  [0x0300, 21],
  [0x0402, 22],
  [0x0403, 23],
  [0x0405, 24],
];

/** Opcode to command id: mainline's, and over them the configured ones. */
export function commandIds(options: Pick<ChardevOptions, 'command_ids'>): ReadonlyMap<number, number> {
  const configured = Object.entries(options.command_ids ?? {}).map(([opcode, id]) => [Number(opcode), id] as const);
  return new Map([...mainline, ...configured]);
}
