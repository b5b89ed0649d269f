import { hash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { hostBootId } from '../../src/taint/boot.ts';
import { ledgerText, parseLedger } from '../../src/taint/ledger-file.ts';
import { acknowledged, emptyState, raised } from '../../src/taint/ledger-state.ts';

const scope = '/switches/sw0';
const bit = raised(
  emptyState('boot-1', '0x1'),
  { letter: 'R', atMs: 1, by: 'x', record: 'r', scope, reason: 'why' },
  scope,
);
const level = { level: 'integrity', atMs: 1, by: 'x', reason: 'y' } as const;
const given = { letter: 'R', scope, atMs: 2, by: 'op', reason: 'seen' } as const;
const full = { ...(acknowledged(bit, given) ?? bit), runTime: level.level, levelChanges: [level] };

/** A file around any state, with the checksum that fits. */
function fileOf(state: unknown, more: object = {}): string {
  const sha256 = hash('sha256', JSON.stringify(state) ?? '');
  return JSON.stringify({ format: 'cci taint ledger', version: 1, sha256, state, ...more });
}
const reasonOf = (text: string): string | undefined => {
  const parsed = parseLedger(text);
  return parsed.ok ? undefined : parsed.why;
};

test('what is written is read back alike', () => {
  expect(parseLedger(ledgerText(full))).toEqual({ ok: true, state: full });
});

test.each([
  ['cut off', ledgerText(full).slice(0, 50), 'it is not JSON'],
  ['something else', '{"format":"x"}', 'it is not a taint ledger'],
  ['a list', '[]', 'it is not a taint ledger'],
  ['no object', 'null', 'it is not a taint ledger'],
  ['of a later version', fileOf(full, { version: 2 }), 'it is of version `2`, not 1'],
  ['changed', ledgerText(full).replace('boot-1', 'boot-2'), 'its checksum is wrong'],
  ['without a state', fileOf(undefined), 'a field of it is missing or of the wrong type'],
])('a file that is %s says so', (_what, text, why) => {
  expect(reasonOf(text)).toBe(why);
});

/** Every member of the state, by its path. */
function* places(value: unknown, path: readonly string[] = []): Generator<readonly string[]> {
  if (path.length > 0) yield path;
  if (typeof value !== 'object' || value === null) return;
  for (const [name, part] of Object.entries(value)) yield* places(part, [...path, name]);
}

function changed(value: unknown, [name = '', ...rest]: readonly string[], put: unknown): unknown {
  const copy: { [name: string]: unknown } | unknown[] = Array.isArray(value) ? [...value] : { ...(value as object) };
  const part: unknown = Reflect.get(copy, name);
  Reflect.set(copy, name, rest.length === 0 ? put : changed(part, rest, put));
  return copy;
}

test.each([...places(full)].map((path) => [path.join('.'), path] as const))(
  'a checksum of its own making does not get a wrong `%s` in',
  (_name, path) => {
    for (const wrong of [{ a: 1 }, [1], true, null]) {
      expect(reasonOf(fileOf(changed(full, path, wrong)))).toBe('a field of it is missing or of the wrong type');
    }
  },
);

test.each([
  ['a line', 'e5f1a2b3-0000-4000-8000-0123456789ab\n', 'e5f1a2b3-0000-4000-8000-0123456789ab'],
  ['something before it', 'xe5f1a2b3-0000-4000-8000-0123456789ab\n', undefined],
  ['something behind it', 'e5f1a2b3-0000-4000-8000-0123456789ab\nx', undefined],
  ['no line end', 'e5f1a2b3-0000-4000-8000-0123456789ab', undefined],
])('the boot id is one line and nothing else: %s', (_what, text, id) => {
  const directory = mkdtempSync(join(tmpdir(), 'boot-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const path = join(directory, 'boot_id');
  writeFileSync(path, text);
  expect(hostBootId(path)).toBe(id);
});
