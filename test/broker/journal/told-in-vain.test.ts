import { expect, it } from 'vitest';
import { check, intent, openInMemory, PATH } from './fixture.ts';

// What recovering has to tell does not fit any more once the clock has more digits.
it('a recovery that cannot be told leaves nothing of itself in the chain', async () => {
  let looks = 0;
  const clock = { now: () => Date.UTC(2026, 0, 1), monotonic: () => (++looks > 3 ? 11 : 10.123) };
  const { journal, fileSystem } = await openInMemory(undefined, { clock, maxRecordBytes: 700 });
  fileSystem.fault = ({ name }) => (name === 'append' ? 'EIO' : undefined);
  const long = intent('r-1', { principal: `user:${'p'.repeat(310)}` });
  await expect(journal.append('intent', long, { durable: true })).rejects.toMatchObject({ code: 'io' });
  fileSystem.fault = () => undefined;
  const outcomes: unknown[] = [];
  for (let i = 0; i < 8; i++) {
    const before = journal.health().sequence;
    const failed = await journal.reopen().then(
      () => false,
      () => true,
    );
    outcomes.push(failed && journal.health().sequence - before);
  }
  // It may be told or not; what is never there is half of it.
  expect(outcomes.every((grown) => grown === 0 || grown === false)).toBe(true);
  await journal.close().catch(() => undefined);
  expect(() => check(fileSystem.text(PATH))).not.toThrow();
  expect(outcomes).toContain(0);
});
