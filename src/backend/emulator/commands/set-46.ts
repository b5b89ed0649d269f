import { RC } from '../../../cci/index.ts';
import { type Command, command, done, finished, refused } from '../command.ts';
import { mediaOf } from '../media.ts';

/** Protocol 00h lists the protocols; F0h, of the vendor range, gives back what was sent. */
const LIST_PROTOCOL = 0x00;
const ECHO_PROTOCOL = 0xf0;
const ECHO_LIMIT = 512;

/** Command set 46h: Security Passthrough. */
export const set46: readonly Command[] = [
  command('security-send', ({ machine, target }, { security_protocol, sp_specific, security_protocol_data }) => {
    // The list of protocols can only be read; nothing sent to it changes nothing.
    if (security_protocol === LIST_PROTOCOL && sp_specific === 0 && security_protocol_data.length === 0) {
      return finished();
    }
    if (security_protocol !== ECHO_PROTOCOL || sp_specific !== 0) return refused(RC.invalidInput);
    if (security_protocol_data.length > ECHO_LIMIT) return refused(RC.invalidInput);
    mediaOf(machine, target).passthrough = security_protocol_data;
    return finished();
  }),

  command('security-receive', ({ machine, target }, { security_protocol, sp_specific }) => {
    if (sp_specific !== 0) return refused(RC.invalidInput);
    if (security_protocol === LIST_PROTOCOL) {
      // 6 reserved bytes, the length in network order, the protocols.
      return done({ security_protocol_data: Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 2, LIST_PROTOCOL, ECHO_PROTOCOL) });
    }
    if (security_protocol !== ECHO_PROTOCOL) return refused(RC.invalidInput);
    return done({ security_protocol_data: mediaOf(machine, target).passthrough });
  }),
];
