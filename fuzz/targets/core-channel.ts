import { setImmediate } from 'node:timers/promises';
import { channelBounds, coreMethods, violations } from '../../src/broker/channel/index.ts';
import { toCore } from '../../src/broker/channel/wire.ts';
import { encodeMessage } from '../../src/cci/index.ts';
import type { SeededRandom } from '../../test/cci/seeded-random.ts';
import { frame, hostile } from '../../test/support/channel-pair.ts';
import { fakeCore, GOOD_TOKEN } from '../../test/support/fake-core.ts';
import { spliced } from '../engine/mutate.ts';
import { demand, type Mutator, type Target } from '../engine/target.ts';
import { Input } from '../support/input.ts';
import { chunksOf } from '../support/mctp-stream.ts';
import { json } from '../support/text-mutators.ts';

const HEAD = 9;
const credential = { token: GOOD_TOKEN, source: '127.0.0.1:1' };
const CREDENTIAL = new Set(['token', 'source', 'scheme', 'certificate', 'proof', 'session']);
const KINDS = new Set(['named', 'raw', 'message']);
const number = (method: string): number => coreMethods.indexOf(method as (typeof coreMethods)[number]);

const call = (id: number, method: string, ...values: readonly unknown[]): Buffer =>
  frame(toCore.call, id, Buffer.concat([Buffer.of(number(method)), Buffer.from(JSON.stringify(values))]));
const slot = (at: number): Buffer =>
  frame(
    toCore.slot,
    0,
    Buffer.concat([Buffer.of(at & 0xff, at >> 8), Buffer.from(JSON.stringify([credential, 'sw0']))]),
  );
const message = (id: number, at: number): Buffer => {
  const head = { category: 'request', tag: 3, background: false, returnCode: 0, vendorStatus: 0 } as const;
  const bytes = encodeMessage({ ...head, opcode: 0x5100, payload: new Uint8Array(0) });
  return frame(toCore.message, id, Buffer.concat([Buffer.of(at & 0xff, at >> 8), bytes]));
};

/** Where frames begin, as far as their lengths lead; behind the byte that says how the stream is cut. */
function framesAt(bytes: Uint8Array): readonly number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const places: number[] = [];
  for (let at = 1; at + HEAD <= bytes.length; at += 4 + Math.max(5, view.getUint32(at, true))) places.push(at);
  return places;
}

/** Changes the JSON of one frame. */
const bodies: Mutator = (input, random, other) => {
  const places = framesAt(input);
  const at = places[random.below(Math.max(1, places.length))];
  if (at === undefined) return input;
  const end = places.find((place) => place > at) ?? input.length;
  const body = input.subarray(at + HEAD, end);
  const skip = Math.min(body.length, random.below(3));
  const donor = other.subarray(1 + HEAD + 1);
  return spliced(input, at + HEAD + skip, body.length - skip, json(body.subarray(skip), random, donor));
};

/** Makes the length of the last frame that is there reach to the end. */
function mend(bytes: Uint8Array, random: SeededRandom): Uint8Array {
  const copy = bytes.slice();
  const places = framesAt(copy);
  const at = places[random.below(2) === 0 ? places.length - 1 : random.below(Math.max(1, places.length))];
  if (at === undefined) return copy;
  const following = places.find((place) => place > at);
  const end = following === undefined || following > copy.length ? copy.length : following;
  new DataView(copy.buffer).setUint32(at, end - at - 4, true);
  return copy;
}

const ready = frame(toCore.ready, 0, '{}');

export const target: Target = {
  name: 'core-channel',
  oracle:
    'what an edge sends is a request of the table, answered once, or ends the edge; no identity of its making gets in',
  covers: ['src/broker/channel'],
  kind: 'bytes',
  maxLength: 1500,
  dictionary: [
    '"tenant":"fabric"',
    '"principal":',
    '"$bytes":"AAAA"',
    '"handle":"x"',
    '"__proto__":{}',
    '"kind":"raw"',
  ],
  seeds: () =>
    [
      [ready, call(1, 'whoami', credential), call(2, 'readiness')],
      [ready, call(1, 'submit', credential, 'sw0', { kind: 'named', command: 'identify' }, { deadlineMs: 5 })],
      [
        ready,
        call(7, 'submit', credential, 'sw0', {
          kind: 'raw',
          opcode: 0xc000,
          payload: { $bytes: 'AP8=' },
          via: 'port:3',
        }),
      ],
      [ready, slot(0), message(1, 0), message(2, 0), frame(toCore.cancel, 1, '')],
      [ready, frame(toCore.ask, 4, '{"token":1}'), call(5, 'events', credential, 'sw0', { after: 'now', limit: 5 })],
      [ready, call(1, 'raiseLockdown', credential, 'integrity', 'why'), call(2, 'end', 'abc')],
    ].map((frames) => new Uint8Array(Buffer.concat([Buffer.of(0), ...frames]))),
  mutators: [bodies, bodies],
  mend,
  open: () => ({
    async run(bytes) {
      const input = new Input(bytes);
      const pattern = input.byte();
      const core = fakeCore();
      const edge = hostile(core, false);
      for (const chunk of chunksOf(input.rest(), pattern))
        if (!edge.stream.destroyed) edge.stream.write(Buffer.from(chunk));
      for (let turn = 0; turn < 4; turn++) await setImmediate();
      demand(edge.violations.length <= 1, `${edge.violations.join()}`);
      for (const violation of edge.violations) demand(Object.hasOwn(violations, violation), violation);
      demand(edge.channel.outstanding <= channelBounds.atOnce, `${edge.channel.outstanding} are under way`);
      const ids = edge.answers.map(({ id }) => id);
      // The same number may be used again once it was answered, so that only the calls bound the answers.
      demand(ids.length <= bytes.length / HEAD, `${ids.length} answers`);
      for (const { credential: shown, request, method } of core.calls) {
        demand(coreMethods.includes(method), `the method ${method}`);
        for (const name of Object.keys(shown ?? {})) demand(CREDENTIAL.has(name), `the credential holds ${name}`);
        demand(request === undefined || KINDS.has(request.kind), `a request of kind ${request?.kind}`);
        if (request?.kind === 'raw') demand(request.payload instanceof Uint8Array, 'a payload that is no bytes');
      }
      edge.channel.close();
      edge.stream.destroy();
    },
  }),
};
