/**
 * MCTP control messages (type 00h, DSP0236) as far as fabric-manager tools use them. Pure: bytes in, bytes out.
 */

const COMMAND = { setEid: 1, getEid: 2, getUuid: 3, getVersion: 4, getTypes: 5 } as const;
const DONE = 0x00;
const UNSUPPORTED_COMMAND = 0x05;
const UNSUPPORTED_TYPE = 0x80;
/** Request and datagram bits in front of the instance id; a reply has neither. */
const INSTANCE_MASK = 0x3f;
/** Types that Get Message Type Support names: FM API and CCI. */
const TYPES = [0x07, 0x08] as const;
const VERSION_OF_TYPES = [0x01, 0xf2, 0xf1, 0xff, 0x00] as const;
const VERSION_OF_CONTROL = [0x01, 0xf1, 0xf3, 0xf1, 0x00] as const;

/** What an endpoint says of itself. */
export interface ControlTerms {
  /** 16 bytes. */
  readonly uuid: Uint8Array;
  readonly eid: number;
  /** Whether Set EID is answered with success. An EID decides where others' messages go. */
  readonly allowSetEid: boolean;
}

/**
 * The reply to a control message: instance id, command, completion code, data. Every command is answered, also one that
 * is not known: who hears nothing takes the endpoint for dead.
 *
 * @param body the message behind its type byte, padding included
 */
export function controlReply(body: Uint8Array, terms: ControlTerms): Uint8Array {
  const [head = 0, command = 0] = body;
  return Uint8Array.of(head & INSTANCE_MASK, command, ...content(command, body, terms));
}

function content(command: number, body: Uint8Array, { uuid, eid, allowSetEid }: ControlTerms): readonly number[] {
  switch (command) {
    case COMMAND.setEid:
      return allowSetEid ? [DONE, 0x00, body[3] ?? 0, 0x00] : [UNSUPPORTED_COMMAND];
    case COMMAND.getEid:
      return [DONE, eid, 0x00, 0x00];
    case COMMAND.getUuid:
      return [DONE, ...uuid];
    case COMMAND.getVersion: {
      const type = body[2] ?? 0;
      if (TYPES.some((known) => known === type)) return [DONE, ...VERSION_OF_TYPES];
      return type === 0x00 || type === 0xff ? [DONE, ...VERSION_OF_CONTROL] : [UNSUPPORTED_TYPE];
    }
    case COMMAND.getTypes:
      return [DONE, TYPES.length, ...TYPES];
    default:
      return [UNSUPPORTED_COMMAND];
  }
}
