import { statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { emptyState, MAX_GROUPS, MAX_SCOPES_PER_COMPONENT, RECENT_KEPT, raised } from '../../src/taint/ledger-state.ts';
import { openIn, raising, SWITCH, temporaryDirectory } from './register.ts';

test('of many raisings the first and the newest are kept, and all are counted', async () => {
  const register = await openIn(temporaryDirectory());
  await Promise.all(
    Array.from({ length: 1000 }, (_, index) => register.taint('J', raising(SWITCH, `raising ${index}`))),
  );
  const { entries, counts } = register.posture().taint;
  expect(counts).toEqual([{ letter: 'J', scope: SWITCH, count: 1000 }]);
  expect(entries).toHaveLength(1 + RECENT_KEPT);
  expect(entries[0]?.reason).toBe('raising 0');
  expect(entries.at(-1)?.reason).toBe('raising 999');
  expect(entries.at(-1)?.ordinal).toBe(1000);
});

test('many acknowledgements do not make the register grow', async () => {
  const register = await openIn(temporaryDirectory());
  await register.taint('J', raising());
  for (let i = 0; i < 20; i++) await register.acknowledge('J', SWITCH, 'op', `look ${i}`);
  expect(register.posture().taint.acknowledgements).toHaveLength(RECENT_KEPT);
  expect(register.posture().taint.acknowledgements.at(-1)?.reason).toBe('look 19');
});

test('a device that makes up paths widens its own component, never another one', () => {
  let state = emptyState('boot', 'S');
  for (let i = 0; i < 100; i++) {
    const scope = `/switches/sw0/ports/3/tags/${i}`;
    state = raised(state, { letter: 'M', atMs: i, by: 'broker', record: '', scope, reason: '' }, SWITCH);
  }
  const scopes = state.groups.map((group) => group.scope);
  expect(scopes).toHaveLength(MAX_SCOPES_PER_COMPONENT + 1);
  expect(scopes.at(-1)).toBe('/switches/sw0/ports/3');
  expect(state.groups.at(-1)?.first.raisedOn).toBe(`/switches/sw0/ports/3/tags/${MAX_SCOPES_PER_COMPONENT}`);
  expect(state.groups.at(-1)?.count).toBe(100 - MAX_SCOPES_PER_COMPONENT);
  // A path that has its place keeps it.
  const again = raised(
    state,
    { letter: 'M', atMs: 0, by: '', record: '', scope: '/switches/sw0/ports/3/tags/0', reason: '' },
    SWITCH,
  );
  expect(again.groups[0]?.count).toBe(2);
});

test('a full register taints the whole switch instead of forgetting', () => {
  let state = emptyState('boot', 'S');
  for (let i = 0; i < MAX_GROUPS + 50; i++) {
    const scope = `/switches/sw0/ports/${i}`;
    state = raised(state, { letter: 'M', atMs: i, by: 'broker', record: '', scope, reason: '' }, SWITCH);
  }
  expect(state.groups).toHaveLength(MAX_GROUPS + 1);
  expect(state.groups.at(-1)).toMatchObject({ scope: SWITCH, count: 50 });
});

test('over-long texts are cut, so that the file stays small', async () => {
  const directory = temporaryDirectory();
  const register = await openIn(directory);
  const long = 'x'.repeat(100_000);
  for (let i = 0; i < 20; i++) await register.taint('E', { by: long, record: long, scope: SWITCH, reason: long });
  await register.acknowledge('E', SWITCH, long, long);
  await register.raise('integrity', long, long);
  expect(register.posture().taint.entries[0]?.reason).toMatch(/x…$/);
  expect(statSync(join(directory, 'taint-sw0.json')).size).toBeLessThan(20_000);
});
