import type { CciReply } from '../../src/backend/index.ts';
import type { CommandAnswer, CoreResult } from '../../src/broker/core-api.ts';
import {
  encodeMessage,
  encodeRoute,
  encodeRoutedReply,
  fromHex,
  parseVia,
  RC,
  type RoutedCommand,
} from '../../src/cci/index.ts';
import { smallParts } from '../../test/isolation/small-fabric.ts';
import { startBrokerFixture } from '../../test/support/broker-fixture.ts';
import { HookedBackend } from '../../test/support/hooked-backend.ts';
import { disclosedBy, type Ground, openReply, readBindings, readOwnership, walk } from '../../test/support/oracle.ts';
import { demand, type Target } from '../engine/target.ts';
import { hexOf, Input } from '../support/input.ts';

/** Safe reads: taint by what the device says does not close them, so that every execution gets as far as the first. */
const COMMANDS: readonly (readonly [via: string, opcode: number, payload: string])[] = [
  ['', 0x5100, ''],
  ['', 0x5101, '020203'],
  ['', 0x5200, '00ff0100'],
  ['', 0x0001, ''],
  ['', 0x0400, ''],
  ['port:3', 0x5400, ''],
  ['port:3', 0x5401, '0004'],
  ['port:3', 0x5406, '0004'],
  ['port:3', 0x5408, '0004'],
  ['port:3', 0x0001, ''],
  ['port:3', 0x0400, ''],
  ['port:3/ld:1', 0x4000, ''],
  ['port:2', 0x4000, ''],
];
/** What the judge says of a bitmap that has fewer bits than acme has ports. */
const OWN_PORTS = /^number of ports is 2, not [01]$/;
const CODES = new Set([
  'EPERM',
  'ENOTTY',
  'EBUSY',
  'EINVAL',
  'ENOMEM',
  'EAGAIN',
  'EIO',
  'ETIMEDOUT',
  'EAUTH',
  'EPARAM',
  'ENOENT',
]);

function commandOf(index: number): RoutedCommand {
  const [via, opcode, payload] = COMMANDS[index % COMMANDS.length] ?? ['', 1, ''];
  const hops = parseVia(via) ?? [];
  return { hops, tags: hops.map((_, i) => i + 1), opcode, payload: fromHex(payload) ?? new Uint8Array(0) };
}

/** What the device says instead of `reply`. */
function spoilt(reply: CciReply, command: RoutedCommand, input: Input): CciReply {
  const how = input.byte();
  const layer = { returnCode: 0, vendorStatus: 0, background: false };
  const copy = reply.payload.slice();
  switch (how % 6) {
    case 0:
      return { ...reply, returnCode: input.word(), vendorStatus: input.word(), background: (input.byte() & 1) === 1 };
    case 1:
      return { ...reply, payload: input.rest() };
    case 2: {
      // A reply in good layers, whatever is inside.
      const layers = [layer, ...command.hops.map(() => layer)];
      const inner = input.rest();
      return { ...layer, payload: encodeRoutedReply(command, { layers, payload: inner }) };
    }
    case 3:
      return { ...reply, payload: copy.slice(0, input.word() % (copy.length + 1)) };
    default:
      for (let left = how & 15; left >= 0 && copy.length > 0; left--) copy[input.word() % copy.length] = input.byte();
      return { ...reply, payload: copy };
  }
}

function checkAnswer(
  result: CoreResult<CommandAnswer>,
  command: RoutedCommand,
  judge: (reply: Uint8Array) => readonly string[],
): void {
  if (!result.ok) {
    const { code, detail, returnCode, message } = result.problem;
    demand(CODES.has(code), `${code}: ${detail}`);
    demand(detail !== '' && returnCode > 0 && returnCode <= 0xffff, `${code} with return code ${returnCode}`);
    demand(message === undefined || message.length === 12, 'a refusal with a payload');
    return;
  }
  const { returnCode, message, payload } = result.value;
  demand(
    returnCode >= 0 && returnCode <= 0xffff && message !== undefined && message[1] === 0x55,
    'a reply of another request',
  );
  if (returnCode !== RC.success) return;
  const inner = command.hops.length === 0 ? payload : openReply(message.subarray(12))?.payload;
  const told = judge(inner ?? payload);
  demand(told.length === 0, () => `${command.opcode.toString(16)} tells acme of ${told.join()}: ${hexOf(message)}`);
}

export const target: Target = {
  name: 'hostile-device',
  oracle: 'whatever a device answers, the caller gets a typed result, and nothing in it is about what is not his',
  covers: ['src/broker/pipeline', 'src/broker/filter', 'src/broker/device.ts', 'src/cci'],
  kind: 'bytes',
  maxLength: 200,
  hangMs: 10_000,
  seeds: () =>
    COMMANDS.flatMap((_, index) => [
      Uint8Array.of(index, 0, 0, 0),
      Uint8Array.of(index, 4, 0, 0, 9, 5, 0, 3, 9, 0, 1),
      Uint8Array.of(index, 2, 1, 0, 0, 0, 3, 0x32, 0x32, 0, 0x42, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9),
      Uint8Array.of(index, 3, 7, 0),
    ]),
  async open() {
    const parts = await smallParts();
    let input: Input | undefined;
    let command = commandOf(0);
    const broker = await startBrokerFixture({
      ...parts,
      clock: () => 1_800_000_000_000,
      wrap(backend) {
        const hooked = new HookedBackend(backend);
        hooked.hook = async (_request, pass) => {
          const reply = await pass();
          return input === undefined ? reply : spoilt(reply, command, input);
        };
        return hooked;
      },
    });
    const acme = await broker.credential('acme');
    const own = readOwnership(parts.fabric);
    const bindings = readBindings((opcode, payload) => broker.device.emulator.execute(opcode, payload), [0, 1]);
    const ground: Ground = {
      devices: new Map([
        [2, 0],
        [3, 4],
        [4, 0],
        [5, 0],
        [7, 2],
      ]),
      bindings,
    };
    return {
      async run(bytes) {
        const script = new Input(bytes);
        command = commandOf(script.byte());
        const route = encodeRoute(command);
        const message = { category: 'request', tag: 0x55, background: false, returnCode: 0, vendorStatus: 0 } as const;
        const request = encodeMessage({ ...message, ...route });
        broker.requests.length = 0;
        input = script;
        const result = await broker.submit(acme, { kind: 'message', bytes: request });
        input = undefined;
        const asked = walk(route.opcode, route.payload);
        checkAnswer(result, command, (reply) => {
          const told = disclosedBy('acme', asked, reply, own, ground);
          // Ports are counted by the fabric file, which a device that clears a bit of its bitmap does not change.
          return told.filter((one) => !OWN_PORTS.test(one));
        });
      },
      close: () => broker.close(),
    };
  },
};
