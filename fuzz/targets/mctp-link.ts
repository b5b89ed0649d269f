import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { BackendError } from '../../src/backend/backend.ts';
import { type LinkSettings, MctpLink } from '../../src/backend/mctp-tcp/link.ts';
import { type CciMessage, type Dialect, RC } from '../../src/cci/index.ts';
import { MCTP_TYPE } from '../../src/cci/mctp.ts';
import { demand, type Target } from '../engine/target.ts';
import { joined } from '../support/cci-seeds.ts';
import { Input } from '../support/input.ts';
import { chunksOf, mendPackets, messagePackets, streams } from '../support/mctp-stream.ts';

const MAX_PAYLOAD = 512;
const OPCODES = [0x5100, 0x5101, 0x0001] as const;

class FakeSocket extends EventEmitter {
  readonly written: Uint8Array[] = [];
  destroyed = false;
  write(bytes: Uint8Array): boolean {
    this.written.push(bytes.slice());
    return true;
  }
  end(): void {}
  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.emit('close');
  }
}

type Outcome = CciMessage | BackendError;

async function exchange(
  stream: Uint8Array,
  pattern: number,
  dialect: Dialect,
  isLenient: boolean,
): Promise<readonly Outcome[]> {
  const socket = new FakeSocket();
  const settings: LinkSettings = {
    host: 'x',
    port: 1,
    dialect,
    quirks: { staleMarks: isLenient, lastByteLost: isLenient },
    maxPayload: MAX_PAYLOAD,
    connectMs: 1,
  };
  // Connections are made over the network alone; here the socket is made up.
  const link: MctpLink = Reflect.construct(MctpLink, [socket as unknown as Socket, settings]);
  const outcomes: Outcome[] = [];
  const asked = OPCODES.map((opcode) =>
    link.ask(MCTP_TYPE.fmApi, opcode, new Uint8Array(1), performance.now() + 60_000).then(
      (reply) => {
        demand(reply.opcode === opcode, `${reply.opcode} answers ${opcode}`);
        outcomes.push(reply);
      },
      (error: unknown) => {
        demand(error instanceof BackendError, () => `not a backend error: ${String(error)}`);
        outcomes.push(error);
      },
    ),
  );
  const requests = socket.written.length;
  for (const chunk of chunksOf(stream, pattern)) if (!socket.destroyed) socket.emit('data', chunk.slice());
  demand(link.outstanding <= OPCODES.length, `${link.outstanding} are outstanding`);
  if (!socket.destroyed) socket.destroy();
  await Promise.all(asked);
  demand(link.isLost && link.outstanding === 0, 'a request outlives its connection');
  demand(socket.written.length === requests, 'something was sent that nobody asked for');
  return outcomes;
}

export const target: Target = {
  name: 'mctp-link',
  oracle: 'each request ends once: with a reply of its tag and opcode within the bound, or with a typed error',
  covers: ['src/backend/mctp-tcp', 'src/cci'],
  kind: 'bytes',
  maxLength: 2 + 68 * 14,
  seeds: () => {
    const all = (dialect: Dialect): Uint8Array =>
      joined(
        ...OPCODES.map((opcode, i) =>
          messagePackets('response', dialect, { opcode, tag: i, cciTag: i, length: i * 70 }),
        ),
      );
    return [
      joined(Uint8Array.of(0, 0), all('spec')),
      joined(Uint8Array.of(1, 9), all('jackrabbit')),
      joined(Uint8Array.of(3, 90), all('jackrabbit')),
      ...streams('response', 'spec', Uint8Array.of(0, 3)),
    ];
  },
  mend: (bytes, random) => mendPackets(bytes, 2, random),
  open: () => ({
    async run(bytes) {
      const input = new Input(bytes);
      const shape = input.byte();
      const pattern = input.byte();
      const outcomes = await exchange(input.rest(), pattern, shape & 1 ? 'jackrabbit' : 'spec', (shape & 2) === 2);
      demand(outcomes.length === OPCODES.length, `${outcomes.length} outcomes`);
      for (const outcome of outcomes) {
        if (outcome instanceof BackendError) demand(outcome.outcome === 'unknown', 'sent, and called not sent');
        else demand(outcome.payload.length <= MAX_PAYLOAD && outcome.returnCode >= RC.success, 'a reply out of bounds');
      }
    },
  }),
};
