import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { commandsDoc } from '../../scripts/write-commands-doc.ts';
import { catalogue, isTyped } from '../../src/cci/index.ts';

const written = readFileSync(new URL('../../docs/commands.md', import.meta.url), 'utf8');

describe('docs/commands.md', () => {
  test('is what the catalogue says: if not, run `node scripts/write-commands-doc.ts`', () => {
    expect(written === commandsDoc()).toBe(true);
  });

  test('has every command and every parameter', () => {
    for (const row of catalogue) {
      expect(written).toContain(`\`${row.slug}\``);
      if (!isTyped(row)) continue;
      for (const field of row.request.fields) {
        if (field.kind !== 'reserved' && field.kind !== 'count')
          expect(written).toContain(`\`--${field.name.replaceAll('_', '-')}`);
      }
    }
  });

  test('links only to headings it has', () => {
    const anchors = new Set(
      [...written.matchAll(/^#+ (.*)$/gm)].map(([, title = '']) =>
        title
          .toLowerCase()
          .replace(/[^a-z0-9 _-]/g, '')
          .replaceAll(' ', '-'),
      ),
    );
    const links = [...written.matchAll(/\]\(#([^)]*)\)/g)].map(([, target = '']) => target);
    expect(links.length).toBeGreaterThan(165);
    expect(links.filter((target) => !anchors.has(target))).toEqual([]);
  });
});
