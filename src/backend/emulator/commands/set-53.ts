import {
  type Dialect,
  decodeRequestMessage,
  encodeMessage,
  HEADER_SIZE,
  NO_LD,
  RC,
  readUint,
  writeUint,
} from '../../../cci/index.ts';
import { boundToHost } from '../bindings.ts';
import {
  type Answer,
  answer,
  bytesCommand,
  type Command,
  type Context,
  codecRefusal,
  command,
  done,
  refused,
} from '../command.ts';
import { accessConfig } from '../config-space.ts';
import { limitOf } from '../dispatch.ts';
import { innerReply } from '../faults.ts';
import { ldBytes } from '../ld-memory.ts';
import { linked } from '../links.ts';
import { readSparse, writeSparse } from '../sparse-memory.ts';
import type { DeviceState, LdState, PortState } from '../state.ts';
import { deviceTarget, type Target } from '../targets.ts';

const TUNNEL_HEADER = 4;
/** MCTP message type that the jackrabbit dialect puts in front of an inner message (D03). */
const INNER_TYPE_BYTE = 0x08;
/** Register space of the FM-owned LD that 5302h reaches, in bytes. */
const FM_REGISTER_SPACE = 1n << 20n;
const MAX_TRANSACTION = 4096;
/** What a read returns that nobody completes. */
const ONES = 0xffffffff;

/** Command set 53h: MLD Port. */
export const set53: readonly Command[] = [
  bytesCommand('tunnel-management-command', (context, payload) => {
    if (payload.length < TUNNEL_HEADER) return refused(RC.invalidPayloadLength);
    const type = payload[1] ?? 0;
    if (readUint(payload, 2, 2) !== payload.length - TUNNEL_HEADER) return refused(RC.invalidPayloadLength);
    if ((type & 0xf0) !== 0) return refused(RC.invalidInput);
    const next = nextTarget(context, payload[0] ?? 0, type);
    if (next === undefined) return refused(RC.invalidInput);
    return tunnel(context, next, payload.subarray(TUNNEL_HEADER));
  }),

  command('send-ld-cxl-io-configuration-request', ({ machine }, request) => {
    const place = ldPlace(machine.port(request.ppb_id), request.ld_id, (port) => machine.deviceAt(port));
    if (place === undefined) return refused(RC.invalidInput);
    const holder = place.ld ?? place.device;
    // Nobody answers on a link that is down: the bus gives ones, and a write is lost.
    if (!place.reachable) return done({ return_data: request.request_control.transaction_type === 'write' ? 0 : ONES });
    holder.config ??= new Map();
    const spec = machine.specOf(place.device);
    const owner = { kind: 'endpoint', vendorId: spec.vendorId, deviceId: spec.deviceId } as const;
    return done({
      return_data: accessConfig(holder.config, owner, request.request_control, request.transaction_data),
    });
  }),

  command('send-ld-cxl-io-memory-request', (context, request) => {
    const { machine } = context;
    const place = ldPlace(machine.port(request.port_id), request.ld_id, (port) => machine.deviceAt(port));
    if (place === undefined) return refused(RC.invalidInput);
    const size =
      place.ld === undefined ? FM_REGISTER_SPACE : ldBytes(machine.specOf(place.device).granularity, place.ld);
    const length = request.transaction_length;
    // INVARIANT: compared without adding in 64 bits, so that no address wraps around to a low one.
    if (length > MAX_TRANSACTION || request.transaction_address > size) return refused(RC.invalidInput);
    if (BigInt(length) > size - request.transaction_address) return refused(RC.invalidInput);
    const holder = place.ld ?? place.device;
    const { request_control: control, transaction_address: address } = request;
    if (!place.reachable) {
      const ones = control.transaction_type === 'write' ? 0 : Math.min(length, context.budget - TUNNEL_HEADER);
      return done({ return_data: new Uint8Array(ones).fill(0xff) });
    }
    if (control.transaction_type === 'write') {
      holder.memory ??= new Map();
      const enabled = byteEnables(address, length, control.first_dword_byte_enable, control.last_dword_byte_enable);
      writeSparse(holder.memory, address, request.transaction_data, enabled);
      return done({ return_data: new Uint8Array(0) });
    }
    if (length + TUNNEL_HEADER > context.budget) return refused(RC.invalidInput);
    return done({ return_data: readSparse(holder.memory, address, length) });
  }),
];

/** The component that executes the inner message of a tunnel. */
function nextTarget(context: Context, id: number, type: number): Target | undefined {
  const { machine, target } = context;
  if (target.kind === 'switch') {
    const port = machine.port(id);
    if (type !== 0 || port?.role !== 'dsp' || !linked(port)) return undefined;
    const device = machine.deviceAt(port);
    return device === undefined ? undefined : deviceTarget(machine, device, id, 'device');
  }
  const { device, port } = target;
  if (device === undefined || port === undefined) return undefined;
  if (type === 1) return deviceTarget(machine, device, port, 'pool');
  const ld = type === 0 ? device.lds[id] : undefined;
  return ld === undefined ? undefined : deviceTarget(machine, device, port, ld);
}

function tunnel(context: Context, target: Target, bytes: Uint8Array): Answer {
  const body = innerBody(bytes, context.dialect);
  if (body === undefined) return refused(RC.invalidInput);
  const request = decodeRequestMessage(body, context.dialect);
  if (!request.ok) return codecRefusal(request.error);
  const { opcode, payload, tag } = request.value;
  // What this level leaves for the level below.
  const overhead = TUNNEL_HEADER + HEADER_SIZE + (context.dialect === 'jackrabbit' ? 1 : 0);
  const budget = Math.min(context.budget - overhead, limitOf(target.cci.limit));
  const inner = { ...context, target, budget, layer: context.layer + 1 };
  const result = context.dispatch(inner, opcode, payload);
  const reply = innerReply(inner, {
    category: 'response',
    tag,
    opcode,
    background: target.cci.background !== null,
    ...result,
  });
  const message = encodeMessage(reply, context.dialect);
  return answer(enclose(context.dialect === 'jackrabbit' ? typed(message) : message));
}

function typed(message: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(message.length + 1);
  bytes[0] = INNER_TYPE_BYTE;
  bytes.set(message, 1);
  return bytes;
}

function enclose(message: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(TUNNEL_HEADER + message.length);
  writeUint(bytes, 0, 2, message.length);
  bytes.set(message, TUNNEL_HEADER);
  return bytes;
}

function innerBody(bytes: Uint8Array, dialect: Dialect): Uint8Array | undefined {
  if (dialect === 'spec') return bytes;
  return bytes[0] === INNER_TYPE_BYTE ? bytes.subarray(1) : undefined;
}

/** The LD, or with FFFFh the FM-owned LD, of an MLD that no host has bound (D26). */
function ldPlace(
  port: PortState | undefined,
  ldId: number,
  deviceAt: (port: PortState) => DeviceState | undefined,
): { readonly device: DeviceState; readonly ld: LdState | undefined; readonly reachable: boolean } | undefined {
  if (port?.role !== 'dsp') return undefined;
  const device = deviceAt(port);
  if (device === undefined || device.lds.length === 0) return undefined;
  const reachable = linked(port);
  if (ldId === NO_LD) return { device, ld: undefined, reachable };
  const ld = device.lds[ldId];
  return ld === undefined || boundToHost(port, ld) ? undefined : { device, ld, reachable };
}

/** Which bytes of a transaction are written: the first and last dword have enables of their own, as on PCIe. */
function byteEnables(address: bigint, length: number, first: number, last: number): (index: number) => boolean {
  const lane = Number(address & 3n);
  const lastDword = (lane + length - 1) >> 2;
  return (index) => {
    const dword = (lane + index) >> 2;
    const enables = dword === 0 ? first : dword === lastDword ? last : 0x0f;
    return ((enables >> ((lane + index) & 3)) & 1) === 1;
  };
}
