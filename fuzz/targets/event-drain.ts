import type { DeviceReply, OwnSend } from '../../src/broker/device.ts';
import { FABRIC_TENANT } from '../../src/policy/index.ts';
import { binding, FakeSwitch, fabricOf, openRig, portError } from '../../test/broker/events/rig.ts';
import { demand, type Target } from '../engine/target.ts';
import { Input } from '../support/input.ts';
import { checkOwnCopy } from '../support/own-events.ts';

const TENANTS = ['acme', 'globex', 'idle', FABRIC_TENANT] as const;
const bodies = [
  binding(0, 1, { port: 1 }),
  binding(0, 2, { port: 3, ld: 2 }),
  binding(1, 0),
  portError(2),
  portError(3),
];

/** Replies that are changed on their way: a byte, the length, the return code, or all of it. */
function spoilt(reply: DeviceReply, input: Input): DeviceReply {
  const how = input.byte();
  if (reply.kind !== 'reply' || how < 0x60) return reply;
  const { layers, payload } = reply.reply;
  const changed = payload.slice();
  switch (how & 7) {
    case 0:
      return { kind: 'malformed', text: 'made up' } as unknown as DeviceReply;
    case 1:
      return {
        kind: 'reply',
        reply: { layers: layers.map((layer) => ({ ...layer, returnCode: input.byte() })), payload },
      };
    case 2:
      return { kind: 'reply', reply: { layers, payload: payload.slice(0, input.byte()) } };
    case 3:
      return { kind: 'reply', reply: { layers, payload: input.take(input.byte()) } };
    case 4:
      return { kind: 'failed', failure: { outcome: 'unknown', errno: 'ETIMEDOUT', text: 'made up' } };
    default:
      for (let left = how & 7; left > 0 && changed.length > 0; left--)
        changed[input.word() % changed.length] = input.byte();
      return { kind: 'reply', reply: { layers, payload: changed } };
  }
}

export const target: Target = {
  name: 'event-drain',
  oracle:
    "whatever a device says of its logs, looking ends, feeds are in order, and each holds what is that tenant's alone",
  covers: ['src/broker/events'],
  kind: 'bytes',
  maxLength: 160,
  seeds: () => [
    Uint8Array.of(3, 0, 1, 2),
    Uint8Array.of(5, 4, 3, 2, 1, 0, 0xff, 0xfd, 3, 2, 1),
    Uint8Array.of(40, 1, 2, 3, 4, 0, 0, 0, 0, 0x62, 20, 0, 0, 0x63, 4, 1, 2, 3, 4),
    Uint8Array.of(2, 1, 0, 0x61, 2, 0x67, 20, 0, 1, 20, 0, 1),
  ],
  open() {
    const fabric = fabricOf();
    return {
      async run(bytes) {
        const input = new Input(bytes);
        const device = new FakeSwitch();
        device.room = 6;
        device.clockNs = BigInt(input.byte()) << 40n;
        for (let left = input.byte() % 12; left > 0; left--) device.raise(input.oneOf(bodies));
        let asked = 0;
        const send: OwnSend = async (command) => {
          demand(++asked < 400, 'it asks for ever');
          return spoilt(await device.send(command), input);
        };
        const rig = await openRig({ device: { send } as unknown as FakeSwitch });
        for (let look = 0; look < 3; look++) await rig.drained();
        const { journal } = rig;
        for (const record of journal) JSON.stringify(record);
        for (const tenant of TENANTS) {
          const { events } = rig.feed(tenant);
          let last = 0;
          for (const event of events) {
            const sequence = Number.parseInt(event.id.slice(event.id.lastIndexOf('-') + 1), 10);
            demand(sequence > last, `event ${event.id} behind ${last}`);
            last = sequence;
            if (event.kind === 'record') checkOwnCopy(tenant, Buffer.from(event.record, 'hex'), fabric);
            if (event.kind === 'overflow')
              demand(tenant === FABRIC_TENANT || event.lost === undefined, 'how busy others are');
          }
        }
      },
    };
  },
};
