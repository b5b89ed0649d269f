import { RC, rowByOpcode } from '../../cci/index.ts';
import { endJob } from './jobs.ts';
import type { Machine } from './machine.ts';
import type { CciState, Job } from './state.ts';

const ABORTED = 0x0012;
const ABORT_NOT_SUPPORTED = 0x0020;
/** Effect bit: the command can be aborted by 0005h. */
const ABORTABLE = 1 << 8;

/**
 * Takes the one background slot of a CCI.
 *
 * @param durationMs null where only an outside event ends it
 * A command that may, but need not, run in the background is done at once where it takes no time.
 *
 * @returns 0001h, 0006h while another operation holds the slot, or the return code of what was done at once
 */
export function startBackground(
  machine: Machine,
  cci: CciState,
  opcode: number,
  durationMs: number | null,
  job: Job,
): number {
  if (cci.background !== null) return RC.busy;
  if (durationMs === 0 && rowByOpcode(opcode)?.background === 'may') return endJob(machine, cci, job);
  const endMs = durationMs === null ? null : machine.nowMs + durationMs;
  cci.background = { opcode, startMs: machine.nowMs, endMs, job };
  if (durationMs !== null) machine.schedule(durationMs, { kind: 'background', cci: cci.path });
  return RC.backgroundStarted;
}

/** Percent done: 0 to 99 while it runs. */
export function progressOf(machine: Machine, cci: CciState): number {
  const { background } = cci;
  if (background === null) return cci.lastBackground?.percent ?? 0;
  if (background.endMs === null) return Math.min(99, Math.floor((machine.nowMs - background.startMs) / 1000));
  const whole = background.endMs - background.startMs;
  return whole <= 0 ? 99 : Math.min(99, Math.floor(((machine.nowMs - background.startMs) * 100) / whole));
}

/** Ends the operation of a CCI and does what it was for. */
export function finishBackground(machine: Machine, cci: CciState): void {
  const { background } = cci;
  if (background === null) return;
  const returnCode = endJob(machine, cci, background.job);
  close(machine, cci, returnCode, 100);
}

/** @returns 0000h, or 0020h where nothing runs or what runs cannot be aborted */
export function abortBackground(machine: Machine, cci: CciState): number {
  const { background } = cci;
  if (background === null) return ABORT_NOT_SUPPORTED;
  const effects = rowByOpcode(background.opcode)?.effects ?? 0;
  if ((effects & ABORTABLE) === 0) return ABORT_NOT_SUPPORTED;
  close(machine, cci, ABORTED, progressOf(machine, cci));
  return RC.success;
}

/** A conventional reset: the operation is gone and so is its result. */
export function loseBackground(cci: CciState): void {
  cci.background = null;
  cci.lastBackground = null;
}

function close(machine: Machine, cci: CciState, returnCode: number, percent: number): void {
  if (cci.background === null) return;
  cci.lastBackground = { opcode: cci.background.opcode, returnCode, percent };
  cci.background = null;
  machine.tell({ cci: cci.path, atMs: machine.nowMs, log: 'background', handle: 0 });
}
