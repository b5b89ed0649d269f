import { describe, expect, it } from 'vitest';
import { gather } from '../../../src/broker/pipeline/gather.ts';
import type { RoutedReply } from '../../../src/cci/index.ts';
import { replyBytes, routedReply } from '../../support/handmade-bytes.ts';
import { Handmade, type Question } from '../../support/handmade-switch.ts';

// A list of tags that did not fit one reply is read to its end.

const SLUG = 'dynamic-capacity-list-tags';
const tag = (fill: number) => ({
  tag: new Uint8Array(16).fill(fill),
  flags: false,
  reference_bitmap: [],
  pending_reference_bitmap: [],
});
const list = (fills: readonly number[], total = fills.length) => ({
  generation_number: 1,
  total_number_of_tags: total,
  validity_bitmap: { reference_bitmap_valid: true, pending_reference_bitmap_valid: true },
  tag_information_list: fills.map(tag),
});
const whole = list([1, 2, 3]);
const tags: Question = { named: SLUG, params: { starting_index: 0, max_tags: 1 }, via: 'port:3' };

async function gathered(reply: RoutedReply, question: Question = tags, answer: object = { ok: true, value: whole }) {
  const asked: unknown[] = [];
  const made = new Handmade({
    view: {
      readTagList: async (hops: unknown) => {
        asked.push(hops);
        return answer;
      },
    },
  });
  const decided = made.decided(question);
  return { asked, decided, result: await gather(decided, decided.decision, reply) };
}

describe('a list of tags', () => {
  it('that is not whole is read to its end, and the rest of the reply stays', async () => {
    const reply = routedReply(1, replyBytes(SLUG, list([1], 3)));
    const { asked, decided, result } = await gathered(reply);
    expect(result).toEqual({ ok: true, value: { ...reply, payload: replyBytes(SLUG, whole) } });
    expect(asked).toEqual([decided.decision.command.hops]);
  });

  it.each([
    ['is whole', list([1, 2])],
    ['has more than it says', list([1, 2], 1)],
  ])('that %s passes as it is', async (_what, value) => {
    const reply = routedReply(1, replyBytes(SLUG, value));
    const { asked, result } = await gathered(reply);
    expect(result).toEqual({ ok: true, value: reply });
    expect(asked).toEqual([]);
  });

  it('is not believed where its rest cannot be read, or makes no list', async () => {
    const reply = routedReply(1, replyBytes(SLUG, list([1], 3)));
    const lost = await gathered(reply, tags, { ok: false, text: 'it went away' });
    expect(lost.result).toEqual({ ok: false, error: 'it went away' });
    const wrong = await gathered(reply, tags, { ok: true, value: { ...whole, generation_number: -1 } });
    expect(wrong.result).toMatchObject({ ok: false, error: expect.stringMatching(/\w/) as string });
  });
});

describe('a reply is left as it is', () => {
  const part = replyBytes(SLUG, list([1], 3));
  it.each([
    ['of another command', routedReply(1, part), { named: 'identify', via: 'port:3' }],
    ['that went raw', routedReply(1, part), { ...tags, raw: true }],
    ['of the switch itself', routedReply(0, part), { named: SLUG, params: { starting_index: 0, max_tags: 1 } }],
    ['with an error inside', routedReply(1, part, 2), tags],
    [
      'with an error outside',
      {
        ...routedReply(1, part),
        layers: routedReply(1, part).layers.map((one, i) => ({ ...one, returnCode: 2 - 2 * i })),
      },
      tags,
    ],
    ['with a layer missing', routedReply(0, part), tags],
    ['with a layer more', routedReply(2, part), tags],
    ['that does not decode', routedReply(1, part.slice(1)), tags],
  ] as readonly (readonly [string, RoutedReply, Question])[])('%s', async (_what, reply, question) => {
    const { asked, result } = await gathered(reply, question);
    expect(result).toEqual({ ok: true, value: reply });
    expect(asked).toEqual([]);
  });
});
