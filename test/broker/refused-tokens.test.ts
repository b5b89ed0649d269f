import { expect, it } from 'vitest';
import { refuse } from '../../src/broker/auth/refusal.ts';
import { type RefusedTally, RefusedTokens } from '../../src/broker/pipeline/refused-tokens.ts';

const bad = refuse('signature', 'x');

it('refused tokens are recorded one by one at first and counted then, by cause and address, and none is lost', async () => {
  let nowMs = 1_800_000_000_000;
  let isFull = true;
  const written: RefusedTally[] = [];
  const refused = new RefusedTokens(
    () => nowMs,
    async (tally) => {
      if (isFull) throw new Error('full');
      written.push(tally);
    },
  );
  const alone = Array.from({ length: 50 }, (_, i) => refused.note(bad, `192.0.2.${i % 30}:${i}`));
  expect(alone.filter((one) => one)).toHaveLength(20);
  expect(refused.note(refuse('too-many', 'x'), '198.51.100.1:1')).toBe(false);
  // The journal cannot be written: the count waits for it.
  await refused.flush();
  nowMs += 5000;
  expect(refused.note(bad, '192.0.2.1:1')).toBe(true);
  isFull = false;
  await refused.flush();
  await refused.flush();
  expect(written).toHaveLength(1);
  const [tally] = written;
  expect(tally).toMatchObject({
    count: 31,
    causes: { signature: 30, 'too-many': 1 },
    fromMs: 1_800_000_000_000,
    toMs: 1_800_000_000_000,
  });
  const sources = Object.entries(tally?.sources ?? {});
  expect(sources.length).toBeLessThanOrEqual(17);
  expect(sources.reduce((sum, [, times]) => sum + Number(times), 0)).toBe(31);
});

it('whoever fills the disk with refused tokens gets one record a second', () => {
  let nowMs = 0;
  const refused = new RefusedTokens(
    () => nowMs,
    async () => {},
  );
  let alone = 0;
  for (let second = 0; second < 100; second++) {
    nowMs = second * 1000;
    for (let i = 0; i < 100; i++) if (refused.note(bad, '192.0.2.1:1')) alone++;
  }
  expect(alone).toBe(20 + 99);
});
