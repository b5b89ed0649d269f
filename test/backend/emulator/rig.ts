import { fileURLToPath } from 'node:url';
import {
  createEmulator,
  type Emulator,
  type EmulatorOptions,
  loadTopology,
} from '../../../src/backend/emulator/index.ts';
import {
  decodePayload,
  decodeRoutedReply,
  encodePayload,
  encodeRoute,
  fromHex,
  isTyped,
  type Params,
  parseVia,
  type Reply,
  type RoutedCommand,
  type RoutedReply,
  rowBySlug,
  type TypedSlug,
} from '../../../src/cci/index.ts';

export type Shipped = 'small' | 'default-32' | 'max-255' | 'dcd-pool' | 'conformance';

/** Path of a shipped topology. */
export function topologyPath(name: Shipped): string {
  return fileURLToPath(new URL(`../../../config/topologies/${name}.yaml`, import.meta.url));
}

/** An emulated switch whose clock only the test moves. */
export class Rig {
  readonly emulator: Emulator;
  nowMs = 0;

  constructor(name: Shipped = 'small', options: Omit<EmulatorOptions, 'topology'> = {}) {
    this.emulator = createEmulator(loadTopology(topologyPath(name)), options, () => this.nowMs);
  }

  get control() {
    return this.emulator.control;
  }

  /** Lets time pass. */
  pass(ms: number): this {
    this.nowMs += ms;
    return this;
  }

  /** Sends bytes through a path such as `port:3/ld:1`; every layer of the reply is checked. */
  send(opcode: number, payload: Uint8Array | string = '', via = ''): RoutedReply {
    const hops = via === '' ? [] : (parseVia(via) ?? []);
    const bytes = typeof payload === 'string' ? fromHex(payload) : payload;
    if (bytes === undefined) throw new Error(`not hex: ${String(payload)}`);
    const command: RoutedCommand = { hops, tags: hops.map((_, i) => 0x20 + i), opcode, payload: bytes };
    const outer = encodeRoute(command);
    const reply = decodeRoutedReply(command, this.emulator.execute(outer.opcode, outer.payload));
    if (this.emulator.lastError !== undefined) throw this.emulator.lastError;
    if (!reply.ok) throw new Error(`layer ${reply.error.layer}: ${reply.error.field} ${reply.error.message}`);
    return reply.value;
  }

  /** Return code of the innermost layer that answered. */
  code(opcode: number, payload: Uint8Array | string = '', via = ''): number {
    return this.send(opcode, payload, via).layers.at(-1)?.returnCode ?? -1;
  }

  /** A command by name; its reply decoded. Throws unless it ends in success or a started operation. */
  run<S extends TypedSlug>(slug: S, params: Params<S>, via = ''): Reply<S> {
    const row = rowBySlug(slug);
    if (row === undefined || !isTyped(row)) throw new Error(`no ${slug}`);
    const payload = encodePayload(row.request, params as never);
    if (!payload.ok) throw new Error(`${slug}: ${payload.error.field} ${payload.error.message}`);
    const reply = this.send(row.opcode, payload.value, via);
    const returnCode = reply.layers.at(-1)?.returnCode ?? -1;
    if (returnCode > 1) throw new Error(`${slug}: return code ${returnCode.toString(16)}`);
    const value = decodePayload(row.response, reply.payload, { side: 'reply', request: params as never });
    if (!value.ok) throw new Error(`${slug}: ${value.error.field} ${value.error.message}`);
    return value.value as Reply<S>;
  }

  /** The innermost return code of a command by name. */
  tryRun<S extends TypedSlug>(slug: S, params: Params<S>, via = ''): number {
    const row = rowBySlug(slug);
    if (row === undefined || !isTyped(row)) throw new Error(`no ${slug}`);
    const payload = encodePayload(row.request, params as never);
    if (!payload.ok) throw new Error(`${slug}: ${payload.error.field} ${payload.error.message}`);
    return this.code(row.opcode, payload.value, via);
  }

  /** vPPB entries of a VCS as `status port ld` texts. */
  vppbs(vcs: number): readonly string[] {
    const reply = this.run('get-virtual-cxl-switch-info', {
      starting_vppb: 0,
      vppb_list_limit: 255,
      vcs_id_list: [vcs],
    });
    return (reply.vcs_information_list[0]?.vppb_information_list ?? []).map(
      (entry) => `${entry.binding_status} ${entry.bound_port_id} ${entry.bound_ld_id}`,
    );
  }
}
