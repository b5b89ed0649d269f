import type { Command } from '../command.ts';
import { set00 } from './set-00.ts';
import { set01 } from './set-01.ts';
import { set02 } from './set-02.ts';
import { set03 } from './set-03.ts';
import { set04 } from './set-04.ts';
import { set05 } from './set-05.ts';
import { set06 } from './set-06.ts';
import { set40 } from './set-40.ts';
import { set41 } from './set-41.ts';
import { set42 } from './set-42.ts';
import { set43 } from './set-43.ts';
import { set44 } from './set-44.ts';
import { set45 } from './set-45.ts';
import { set46 } from './set-46.ts';
import { set47 } from './set-47.ts';
import { set48 } from './set-48.ts';
import { set51 } from './set-51.ts';
import { set52 } from './set-52.ts';
import { set53 } from './set-53.ts';
import { set54 } from './set-54.ts';
import { set55 } from './set-55.ts';
import { set56 } from './set-56.ts';
import { set57 } from './set-57.ts';

const commands: readonly Command[] = [
  ...set00,
  ...set01,
  ...set02,
  ...set03,
  ...set04,
  ...set05,
  ...set06,
  ...set40,
  ...set41,
  ...set42,
  ...set43,
  ...set44,
  ...set45,
  ...set46,
  ...set47,
  ...set48,
  ...set51,
  ...set52,
  ...set53,
  ...set54,
  ...set55,
  ...set56,
  ...set57,
];

/** Every command that some component of the emulator can execute. */
export const commandByOpcode: ReadonlyMap<number, Command> = new Map(
  commands.map((command) => [command.row.opcode, command]),
);
