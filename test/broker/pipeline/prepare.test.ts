import { describe, expect, it } from 'vitest';
import type { Dispatched } from '../../../src/broker/pipeline/dispatch.ts';
import { prepare } from '../../../src/broker/pipeline/prepare.ts';
import { bind, Handmade, type HandmadeOptions, ports, type Question } from '../../support/handmade-switch.ts';
import { type End, ends } from './ends.ts';

// What a command may move is written down before it waits, and settled when its end is known.

async function prepared(question: Question, options: HandmadeOptions = {}) {
  const made = new Handmade(options);
  const decided = made.decided(question);
  const result = await prepare(made.services, decided);
  if (!result.ok) throw new Error(result.refusal.detail);
  const end = (dispatched: Dispatched | undefined) => result.prepared.end(dispatched);
  return { made, decided, end };
}

async function refused(question: Question, options: HandmadeOptions = {}) {
  const made = new Handmade(options);
  const result = await prepare(made.services, made.decided(question));
  return { made, refusal: result.ok ? undefined : result.refusal };
}

describe('what a command may move', () => {
  it('is expected until its end is known', async () => {
    const { made, end } = await prepared(bind);
    const to = { kind: 'port', port: 3 };
    expect(made.details('expect')).toEqual([
      [
        [
          { kind: 'vppb', vcs: 0, vppb: 2, from: { kind: 'unbound' }, to },
          { kind: 'port', port: 3 },
        ],
      ],
    ]);
    expect(made.times('over')).toBe(0);
    await end(ends.done);
    expect(made.done.map(([what]) => what)).toEqual(['expect', 'over']);
  });

  it.each([
    ['done', true],
    ['error', true],
    ['malformed', true],
    ['lost', true],
    ['defect', true],
    ['not sent', false],
    ['refused', false],
  ] as readonly (readonly [End, boolean])[])('may have moved, or not, by how it ended: %s', async (name, wasSent) => {
    const { made, end } = await prepared(bind);
    await end(ends[name]);
    expect(made.details('over')).toEqual([[wasSent]]);
  });

  it('is nothing for a read, and nothing is written down', async () => {
    const { made, end } = await prepared(ports);
    await end(ends.done);
    expect(made.done).toEqual([]);
  });

  it('is not needed where nobody watches', async () => {
    const { made, end } = await prepared(bind, { view: { watcher: undefined } });
    await end(ends.done);
    expect(made.done).toEqual([]);
  });

  it('that cannot be written down is not done', async () => {
    const error = new Error('full');
    const { made, refusal } = await refused(bind, {
      view: {
        watcher: {
          expect: async () => {
            throw error;
          },
        },
      },
    });
    expect(refusal).toEqual({
      code: 'EIO',
      detail: 'refused: what it is going to change cannot be written down, and nothing moves unrecorded',
      returnCode: 4,
    });
    expect(made.done).toEqual([
      ['log error', { err: error, switch: 'sw0' }, 'what a command is going to change cannot be written down'],
    ]);
  });
});
