import type { CommandRequest, CoreResult, Credential, Problem, SubmitOptions } from '../../src/broker/core-api.ts';
import { Pipeline } from '../../src/broker/pipeline/index.ts';
import { replied } from './handmade-bytes.ts';
import { BY_ACME, Handmade, type HandmadeOptions, rawIsOpen } from './handmade-switch.ts';
import { turns } from './turns.ts';

/** A read and a change that acme may ask for, and raw bytes for operators. */
export const readPorts: CommandRequest = {
  kind: 'named',
  command: 'get-physical-port-state',
  params: { port_id_list: [3] },
};
export const bindPort: CommandRequest = {
  kind: 'named',
  command: 'bind-vppb',
  params: { vcs_id: 0, vppb_id: 2, physical_port_id: 3, ld_id: 65535 },
};
export const rawBytes: CommandRequest = { kind: 'raw', opcode: 0xc010, payload: Uint8Array.of(1) };

/** What the device answers to the read: one port, 16 bytes behind a header of 4. */
export const portList = Uint8Array.of(1, 0, 0, 0, 3, ...new Array<number>(15).fill(0));

/** The whole pipeline over a switch made by hand, open for raw commands. */
export function handmadePipeline(options: HandmadeOptions = {}) {
  const made = new Handmade({ posture: rawIsOpen, ...options });
  made.answer = (command) => replied(command, command.opcode === 0x5101 ? portList : undefined);
  const pipeline = new Pipeline(made.services);
  const submit = (command: CommandRequest, by: Credential = BY_ACME, more: SubmitOptions = {}) =>
    pipeline.submit(by, 'sw0', command, more);
  const explain = (command: CommandRequest, by: Credential = BY_ACME) => pipeline.explain(by, 'sw0', command);
  return { made, pipeline, submit, explain };
}

/** What a refusal says, without the id of its request. @throws Error where nothing was refused */
export function problemOfRefused(result: CoreResult<unknown>): Omit<Problem, 'requestId'> {
  if (result.ok) throw new Error('not refused');
  const { requestId, ...rest } = result.problem;
  if (!/^[0-9a-f-]{36}$/.test(requestId)) throw new Error(`no id: ${requestId}`);
  return rest;
}

/** A few turns of the event loop: what is done behind an answer is done then. */
export const someTurns = (): Promise<void> => turns(3);
