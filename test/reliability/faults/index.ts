import { networkFaults } from './network.ts';
import { processFaults } from './processes.ts';
import { resourceFaults } from './resources.ts';
import { timeFaults } from './time.ts';

/** Every fault that the table of docs/reliability.md has, in its order. */
export const faults = { ...timeFaults, ...resourceFaults, ...networkFaults, ...processFaults } as const;
export type FaultId = keyof typeof faults;
