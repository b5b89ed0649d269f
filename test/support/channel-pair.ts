import { type Duplex, duplexPair } from 'node:stream';
import { CoreChannel, type Violation } from '../../src/broker/channel/index.ts';
import { FrameReader, MOST_TO_EDGE } from '../../src/broker/channel/wire.ts';
import type { CoreApi } from '../../src/broker/core-api.ts';
import { CoreLink } from '../../src/edge/process/index.ts';
import { turns } from './turns.ts';

/** An edge of ours on a channel to a core. */
export interface LinkedCore {
  readonly link: CoreLink;
  readonly channel: CoreChannel;
  /** What the core held against the edge. */
  readonly violations: Violation[];
  close(): void;
}

export function linked(core: CoreApi, onAsk: (asked: unknown) => Promise<unknown> = async () => ''): LinkedCore {
  const [near, far] = duplexPair();
  const violations: Violation[] = [];
  const channel = new CoreChannel(near, {
    core,
    onAsk,
    onReady: () => {},
    onViolation: (violation) => violations.push(violation),
  });
  const link = new CoreLink(far, { onOptions: () => {}, onSupply: () => {}, onStop: () => {}, onLost: () => {} });
  link.ready({});
  return { link, channel, violations, close: () => channel.close() };
}

/** Somebody who has taken over an edge: writes whatever he likes to the channel. */
export interface HostileEdge {
  readonly stream: Duplex;
  readonly channel: CoreChannel;
  readonly violations: Violation[];
  /** Frames that the core has answered with: kind, id and body. */
  readonly answers: { readonly kind: number; readonly id: number; readonly body: Buffer }[];
  frame(kind: number, id: number, body: Uint8Array | string): void;
  /** Everything that was written has been looked at, and what could be answered at once is. */
  settled(): Promise<void>;
}

export function hostile(core: CoreApi, isReady = true): HostileEdge {
  const [near, far] = duplexPair();
  const violations: Violation[] = [];
  const answers: { kind: number; id: number; body: Buffer }[] = [];
  const channel = new CoreChannel(near, {
    core,
    onAsk: async () => 'asked',
    onReady: () => {},
    onViolation: (violation) => violations.push(violation),
  });
  const reader = new FrameReader(MOST_TO_EDGE);
  far.on('data', (chunk: Buffer) => {
    reader.push(chunk, ({ kind, id, body }) => {
      answers.push({ kind, id, body: Buffer.from(body) });
      return true;
    });
  });
  far.on('error', () => {});
  const edge: HostileEdge = {
    stream: far,
    channel,
    violations,
    answers,
    frame: (kind, id, body) => void far.write(frame(kind, id, body)),
    settled: () => turns(6),
  };
  if (isReady) edge.frame(5, 0, '{}');
  return edge;
}

export function frame(kind: number, id: number, body: Uint8Array | string): Buffer {
  const bytes = Buffer.from(body);
  const whole = Buffer.alloc(9 + bytes.length);
  whole.writeUInt32LE(5 + bytes.length, 0);
  whole[4] = kind;
  whole.writeUInt32LE(id, 5);
  bytes.copy(whole, 9);
  return whole;
}
