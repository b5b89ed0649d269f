import { describe, expect, it } from 'vitest';
import { JournalError } from '../../../src/broker/journal/index.ts';
import { dispatch } from '../../../src/broker/pipeline/dispatch.ts';
import { Cancellation } from '../../../src/broker/schedule/index.ts';
import { replied } from '../../support/handmade-bytes.ts';
import { bind, ports, rawIsOpen, vendor } from '../../support/handmade-switch.ts';
import { dispatching } from './dispatching.ts';

// From a decision to the device: what is in the way, and what is written down before a command leaves.

const unrecordable = {
  code: 'EIO',
  detail: 'refused: the journal cannot be written, and nothing is sent unrecorded',
  returnCode: 4,
};
describe('a command whose turn has come', () => {
  it('is sent as it was decided, and a read leaves no intent', async () => {
    const { made, decided, run } = dispatching(ports);
    const answer = replied({ hops: [] }, Uint8Array.of(9));
    made.answer = () => answer;
    expect(await run()).toEqual({ kind: 'answered', decision: decided.decision, reply: answer, intent: undefined });
    expect(made.sent).toEqual([decided.decision.command]);
    expect(made.records).toEqual([]);
    expect(made.done.map(([what]) => what)).toEqual(['awake', 'saved']);
  });

  it('has its intent on the disk before it leaves where it changes state', async () => {
    const { made, run } = dispatching(bind);
    let before = 0;
    made.answer = (command) => {
      before = made.records.length;
      return replied(command);
    };
    expect(await run()).toMatchObject({ kind: 'answered', intent: 1 });
    expect(before).toBe(1);
    expect(made.records[0]).toMatchObject({ kind: 'intent', how: 'append', options: { durable: true } });
  });

  it.each([
    ['strict', 1],
    ['by-effect', undefined],
  ] as const)('has one for a read as well where durability is %s', async (durability, intent) => {
    const recording = { durability, payloads: 'none' } as never;
    const { run } = dispatching(ports, { services: { recording } });
    expect(await run()).toMatchObject({ kind: 'answered', intent });
  });

  it('raises what it taints before it waits', async () => {
    const { made, run } = dispatching(vendor, { posture: rawIsOpen });
    let before: readonly unknown[] = [];
    made.onTurn = () => {
      before = made.details('taint').map(([letter]) => letter);
    };
    await run();
    expect(before).toEqual(['J', 'R', 'V']);
  });
});

describe('a command is not sent', () => {
  it('while the journal cannot be written, and taints nothing then', async () => {
    const { made, decided, run } = dispatching(vendor, { posture: rawIsOpen });
    made.journal = 'failed';
    expect(await run()).toEqual({
      kind: 'refused',
      decision: decided.decision,
      refusal: unrecordable,
      intent: undefined,
    });
    expect(made.done).toEqual([]);
  });

  it('where the journal has failed while it waited', async () => {
    const { made, run } = dispatching(ports);
    made.onTurn = () => {
      made.journal = 'failed';
    };
    expect(await run()).toMatchObject({ kind: 'refused', refusal: unrecordable });
    expect(made.sent).toEqual([]);
  });

  it('where its client went away, which is answered as a command that was not sent', async () => {
    const { made, decided } = dispatching(ports);
    const cancellation = new Cancellation();
    const request = made.request({ cancellation });
    made.onTurn = () => cancellation.cancel();
    expect(await dispatch(made.services, request, decided)).toEqual({
      kind: 'answered',
      decision: decided.decision,
      reply: {
        kind: 'failed',
        failure: {
          outcome: 'not-sent',
          errno: 'EAGAIN',
          text: 'the client went away before it was sent',
          noTurn: 'cancelled',
        },
      },
      intent: undefined,
    });
    expect(made.sent).toEqual([]);
  });

  it('where its token is not good any more', async () => {
    const { made, run } = dispatching(ports, {}, { stillValid: async () => false });
    expect(await run()).toMatchObject({
      kind: 'refused',
      refusal: {
        code: 'EAUTH',
        detail: 'the token expired or was revoked while the command waited',
        returnCode: 2,
      },
    });
    expect(made.sent).toEqual([]);
  });

  it('where its intent could not be delivered to whoever has to have it first', async () => {
    const { made, run } = dispatching(bind);
    made.unwritable.set('intent', new JournalError('undelivered', 'a sink is away'));
    expect(await run()).toMatchObject({
      kind: 'refused',
      intent: undefined,
      refusal: {
        code: 'EIO',
        detail: 'refused: the record could not be delivered to a place that has to have it first',
        returnCode: 4,
      },
    });
    expect(made.sent).toEqual([]);
  });

  it('where its intent cannot be written at all, and nothing more is written of it', async () => {
    const { made, run } = dispatching(bind);
    const full = new JournalError('io', 'full');
    made.unwritable.set('intent', full);
    await expect(run()).rejects.toBe(full);
    expect(made.records).toEqual([]);
    expect(made.sent).toEqual([]);
  });
});

describe('a defect under way', () => {
  it.each([
    ['before it left', false, 'not-sent'],
    ['after it left', true, 'unknown'],
  ])('%s is written down with what is known, and thrown', async (_what, hasLeft, outcome) => {
    const defect = new Error('defect');
    const { made, decided } = dispatching(bind);
    let looks = 0;
    if (hasLeft) {
      made.answer = () => {
        throw defect;
      };
    }
    const stillValid = async () => {
      looks++;
      if (looks === 2 && !hasLeft) throw defect;
      return true;
    };
    await expect(dispatch(made.services, made.request(), { ...decided, stillValid })).rejects.toBe(defect);
    expect(made.records[1]).toMatchObject({
      kind: 'outcome',
      body: { intent: 1, outcome, details: { note: 'the broker failed while the command was under way' } },
    });
  });

  it('without an intent is thrown alone', async () => {
    const { made, run } = dispatching(ports);
    made.answer = () => {
      throw new Error('defect');
    };
    await expect(run()).rejects.toThrow('defect');
    expect(made.records).toEqual([]);
  });
});
