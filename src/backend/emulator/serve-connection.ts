import type { Socket } from 'node:net';
import {
  type CciMessage,
  type CodecError,
  type Dialect,
  decodeRequestMessage,
  encodeMessage,
  HEADER_SIZE,
  RC,
  readUint,
} from '../../cci/index.ts';
import { MCTP_TYPE, type MctpMessage, PacketReader, packetize, Reassembler, trimMessage } from '../../cci/mctp.ts';
import { controlReply } from '../../cci/mctp-control.ts';
import type { Emulator } from './emulator.ts';
import { spoilHeader } from './faults.ts';
import { uuidOf } from './serve-control.ts';

export interface ConnectionSettings {
  readonly dialect: Dialect;
  readonly allowSetEid: boolean;
  readonly idleMs: number;
}

/** Unsent bytes at which a connection is not read any further until its peer takes some. */
const BACKLOG = 1 << 20;

/**
 * Serves one connection. Everything that is a request is answered, refusals too; nothing is sent unasked. The stream
 * is closed where it is no MCTP, because nothing behind that point can be found again.
 */
export function serveConnection(socket: Socket, emulator: Emulator, settings: ConnectionSettings): void {
  const reader = new PacketReader();
  const reassembler = new Reassembler(settings.dialect);
  let sequence = 0;

  const send = (request: MctpMessage, body: Uint8Array): void => {
    if (socket.destroyed) return;
    const address = { destination: request.source, source: request.destination, tagOwner: false, tag: request.tag };
    const { bytes, nextSequence } = packetize(address, request.type, body, sequence);
    sequence = nextSequence;
    if (!socket.write(bytes) && socket.writableLength > BACKLOG) {
      socket.pause();
      socket.once('drain', () => socket.resume());
    }
  };

  socket.setTimeout(settings.idleMs, () => socket.destroy());
  // A reset connection is its peer's way to leave.
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk: Uint8Array) => {
    const packets = reader.push(chunk);
    if (!packets.ok) {
      socket.destroy();
      return;
    }
    for (const packet of packets.value) {
      const assembly = reassembler.accept(packet, performance.now());
      // Without tag ownership it is a reply, and this side asks nothing.
      if (assembly.kind === 'message' && assembly.message.tagOwner) {
        handle(assembly.message, emulator, settings, (body) => send(assembly.message, body));
      } else if (assembly.kind === 'dropped' && assembly.reason === 'too-long') {
        socket.destroy();
        return;
      }
    }
  });
}

function handle(
  message: MctpMessage,
  emulator: Emulator,
  settings: ConnectionSettings,
  send: (body: Uint8Array) => void,
): void {
  if (message.type === MCTP_TYPE.control) {
    const uuid = uuidOf(emulator.machine.state.cci.serial);
    send(controlReply(message.body, { uuid, eid: message.destination, allowSetEid: settings.allowSetEid }));
    return;
  }
  const { dialect } = settings;
  const head = headOf(message.body);
  if (message.type !== MCTP_TYPE.fmApi && message.type !== MCTP_TYPE.cci) {
    // 70h would plug devices in and out: not for whoever reaches the port. Others are unknown here.
    send(encodeMessage({ ...head, returnCode: RC.unsupported }, dialect));
    return;
  }
  const bytes = trimMessage(message, dialect);
  if (!bytes.ok) {
    send(encodeMessage({ ...head, returnCode: RC.invalidPayloadLength }, dialect));
    return;
  }
  const request = decodeRequestMessage(bytes.value, dialect);
  if (!request.ok) {
    send(encodeMessage({ ...head, returnCode: refusalOf(request.error) }, dialect));
    return;
  }
  const { opcode, tag, payload } = request.value;
  const { carrier, ...reply } = emulator.execute(opcode, payload, dialect);
  const answer: CciMessage = { category: 'response', tag, opcode, ...reply };
  switch (carrier?.kind) {
    case 'late':
      setTimeout(() => send(encodeMessage(answer, dialect)), carrier.ms).unref();
      return;
    case 'missing':
      return;
    case 'duplicate':
      send(encodeMessage(answer, dialect));
      send(encodeMessage(answer, dialect));
      return;
    case 'wrong-opcode':
    case 'wrong-tag':
      send(encodeMessage(spoilHeader(answer, carrier.kind), dialect));
      return;
    case 'stuck-doorbell':
      if (!carrier.rung) send(encodeMessage(answer, dialect));
      return;
    default:
      send(encodeMessage(answer, dialect));
  }
}

/** A refusal's header: tag and opcode as far as the request has them. */
function headOf(body: Uint8Array): CciMessage {
  const whole = body.length >= HEADER_SIZE;
  return {
    category: 'response',
    tag: whole ? (body[1] ?? 0) : 0,
    opcode: whole ? readUint(body, 3, 2) : 0,
    background: false,
    returnCode: 0,
    vendorStatus: 0,
    payload: new Uint8Array(0),
  };
}

function refusalOf(error: CodecError): number {
  return error.code === 'length' ? RC.invalidPayloadLength : RC.invalidInput;
}
