import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { faults } from './faults/index.ts';
import { page, pageFile, storedFigures } from './page.ts';

test('docs/reliability.md says what the tests declare', () => {
  expect(readFileSync(pageFile, 'utf8'), 'run `node scripts/write-reliability-doc.ts --no-run`').toBe(
    page(storedFigures()),
  );
});

test('each fault of the table has its test, and each figure was taken', () => {
  const sources = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.test.ts'));
  const text = sources.map((name) => readFileSync(new URL(name, import.meta.url), 'utf8')).join('');
  const figures = storedFigures().faults;
  for (const [id, row] of Object.entries(faults)) {
    expect(text, id).toContain(`fault('${id}',`);
    const wanted = 'figures' in row ? Object.keys(row.figures).sort() : [];
    expect(Object.keys(figures[id] ?? {}).sort(), id).toEqual(wanted);
  }
});
