import type { Dispatched } from '../../../src/broker/pipeline/dispatch.ts';
import { replied } from '../../support/handmade-bytes.ts';

// Each way in which a command that was prepared may end.

const decision = {} as never;
const intent = undefined;
export const ends = {
  done: { kind: 'answered', decision, intent, reply: replied({ hops: [] }) },
  error: { kind: 'answered', decision, intent, reply: replied({ hops: [] }, undefined, 2) },
  'error on the way': {
    kind: 'answered',
    decision,
    intent,
    reply: {
      kind: 'reply',
      reply: {
        payload: new Uint8Array(0),
        layers: [2, 0].map((returnCode) => ({ returnCode, vendorStatus: 0, background: false })),
      },
    },
  },
  malformed: { kind: 'answered', decision, intent, reply: { kind: 'malformed', text: 'x' } },
  lost: {
    kind: 'answered',
    decision,
    intent,
    reply: { kind: 'failed', failure: { outcome: 'unknown', errno: 'EIO', text: '' } },
  },
  'not sent': {
    kind: 'answered',
    decision,
    intent,
    reply: { kind: 'failed', failure: { outcome: 'not-sent', errno: 'EIO', text: '' } },
  },
  refused: { kind: 'refused', decision, intent, refusal: { code: 'EPERM', detail: '', returnCode: 2 } },
  defect: undefined,
} as const satisfies { readonly [name: string]: Dispatched | undefined };
export type End = keyof typeof ends;
