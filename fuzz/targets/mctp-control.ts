import { controlReply } from '../../src/cci/mctp-control.ts';
import { demand, type Target } from '../engine/target.ts';
import { hexOf, Input } from '../support/input.ts';

const uuid = Uint8Array.from({ length: 16 }, (_, i) => 0xa0 + i);
const UNSUPPORTED_COMMAND = 0x05;

export const target: Target = {
  name: 'mctp-control',
  oracle: 'every control message is answered: same instance and command, no request bit; an EID is never taken over',
  covers: ['src/cci/mctp-control.ts'],
  kind: 'bytes',
  maxLength: 80,
  seeds: () => [1, 2, 3, 4, 5, 6].map((command) => Uint8Array.of(8, 0x81, command, 0, 7)),
  open: () => ({
    run(bytes) {
      const input = new Input(bytes);
      const eid = input.byte();
      const body = input.rest();
      const reply = controlReply(body, { uuid, eid, allowSetEid: false });
      demand(reply.length >= 3 && reply.length <= 19, () => `${hexOf(body)} is answered with ${reply.length} bytes`);
      demand(((reply[0] ?? 0) & 0xc0) === 0, 'a reply that says it is a request');
      demand(reply[0] === ((body[0] ?? 0) & 0x3f) && reply[1] === (body[1] ?? 0), 'the answer to something else');
      demand(reply[1] !== 1 || (reply[2] === UNSUPPORTED_COMMAND && reply.length === 3), 'another EID was taken');
      demand(reply[1] !== 2 || reply[3] === eid, 'another EID was told');
    },
  }),
};
