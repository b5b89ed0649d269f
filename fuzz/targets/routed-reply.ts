import {
  type Dialect,
  decodeRoutedReply,
  encodeRoutedReply,
  isSuccess,
  type LayerReply,
  parseVia,
  type RoutedCommand,
} from '../../src/cci/index.ts';
import { demand, type Target } from '../engine/target.ts';
import { joined, wordOf } from '../support/cci-seeds.ts';
import { hexOf, Input, sameBytes } from '../support/input.ts';
import { withLength } from '../support/message-target.ts';

const paths = ['', 'port:3', 'port:3/ld:1', 'port:3/ldpool'] as const;
const HEAD = 10;

/** One byte chooses path and dialect, then what was sent (two tags, an opcode) and the outermost reply. */
function parts(bytes: Uint8Array): {
  command: RoutedCommand;
  outer: LayerReply & { payload: Uint8Array };
  dialect: Dialect;
} {
  const input = new Input(bytes);
  const choice = input.byte();
  const hops = parseVia(paths[choice & 3] ?? '') ?? [];
  const tags = [input.byte(), input.byte()].slice(0, hops.length);
  const opcode = input.word() || 1;
  const command = { hops, tags, opcode, payload: new Uint8Array(0) };
  const outer = { returnCode: input.word(), vendorStatus: input.word(), background: (input.byte() & 1) === 1 };
  return { command, outer: { ...outer, payload: input.rest() }, dialect: choice & 4 ? 'jackrabbit' : 'spec' };
}

export const target: Target = {
  name: 'routed-reply',
  oracle: 'a reply that is believed has the tag and opcode of its request in every layer, and encodes to what came',
  covers: ['src/cci'],
  kind: 'bytes',
  maxLength: 300,
  seeds: () =>
    [0, 1, 2, 3, 5, 6].flatMap((choice) =>
      [1, 2, 3].map((answered) => {
        const head = joined(Uint8Array.of(choice, 0x22, 0x33), wordOf(1), wordOf(0), wordOf(0), Uint8Array.of(0));
        const { command, dialect } = parts(head);
        const layers = Array.from({ length: Math.min(answered, command.hops.length + 1) }, () => ({
          returnCode: 0,
          vendorStatus: 0,
          background: false,
        }));
        return joined(head, encodeRoutedReply(command, { layers, payload: new Uint8Array(18).fill(9) }, dialect));
      }),
    ),
  mend(bytes) {
    const { command, dialect } = parts(bytes);
    const typeByte = dialect === 'spec' ? 0 : 1;
    let copy: Uint8Array = bytes.slice();
    let at = HEAD;
    for (let layer = 0; layer < command.hops.length && copy.length >= at + 16 + typeByte; layer++) {
      const size = copy.length - at - 4;
      copy[at] = size & 0xff;
      copy[at + 1] = (size >> 8) & 0xff;
      copy = withLength(copy, at + 4 + typeByte, typeByte === 1);
      at += 16 + typeByte;
    }
    return copy;
  },
  open: () => ({
    run(bytes) {
      const { command, outer, dialect } = parts(bytes);
      const decoded = decodeRoutedReply(command, outer, dialect);
      if (!decoded.ok) return;
      const { layers } = decoded.value;
      demand(layers.length >= 1 && layers.length <= command.hops.length + 1, `${layers.length} layers`);
      const refused = layers.findIndex(({ returnCode }) => !isSuccess(returnCode));
      demand(refused === -1 || refused === layers.length - 1, 'a layer below one that refused');
      demand(refused !== -1 || layers.length === command.hops.length + 1, 'a layer is missing that nobody refused');
      const shown = encodeRoutedReply(command, decoded.value, dialect);
      const came = dialect === 'spec' ? outer.payload : plainNibbles(outer.payload, layers.length - 1);
      demand(sameBytes(shown, came), () => `${hexOf(outer.payload)} is shown as ${hexOf(shown)}`);
    },
  }),
};

/** The low nibble of byte 0 of an inner message is not looked at in that dialect. */
function plainNibbles(payload: Uint8Array, layers: number): Uint8Array {
  const copy = payload.slice();
  for (let layer = 0; layer < layers; layer++) {
    const at = layer * 17 + 5;
    copy[at] = (copy[at] ?? 0) & 0xf0;
  }
  return copy;
}
