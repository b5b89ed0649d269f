import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { loadFabric } from '../../../src/policy/fabric/index.ts';
import type { Fabric } from '../../../src/policy/types.ts';

function fabricOf(text: string): Fabric {
  const loaded = loadFabric({ text });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.error.slice(0, 3)));
  return loaded.value;
}

function mistakesOf(text: string): readonly string[] {
  const loaded = loadFabric({ text });
  return loaded.ok ? [] : loaded.error.map(({ line, column, message }) => `${line}:${column} ${message}`);
}

const ofPorts = (list: string, owns = ''): string =>
  `switches: { s: { ports: [${list}] } }\ntenants: { acme: { owns: [${owns}] } }\n`;

describe('a fabric file may go as far as', () => {
  test('the last id, the largest counts, the longest names', () => {
    const long = `s${'0-'.repeat(31)}`;
    const fabric = fabricOf(
      `switches: { ${long}: { ports: [{ ids: 0-0, lds: 256 }, { ids: 255, lds: 1 }], vcss: [{ ids: 10-12, vppbs: 256 }] } }\ntenants: { ${'t'.repeat(32)}: {} }\n`,
    );
    const found = fabric.switches.get(long);
    expect([...(found?.ports ?? [])]).toEqual([
      [0, { lds: 256 }],
      [255, { lds: 1 }],
    ]);
    expect([...(found?.vcss ?? [])]).toEqual([10, 11, 12].map((id) => [id, { vppbs: 256 }]));
    expect(fabric.exists(`/switches/${long}/ports/0/lds/255`)).toBe(true);
    expect(fabric.exists(`/switches/${long}/vcss/12/vppbs/255`)).toBe(true);
    expect(fabric.exists(`/switches/${long}/ports/0/lds/256`)).toBe(false);
  });

  // 3 switches of 256 ports that count 258 each, and one of 7 such ports and one that counts 50.
  const full = [0, 1, 2].map((id) => `  s${id}: { ports: [{ ids: 0-255, lds: 256 }] }\n`).join('');
  const rest = (vcss: string) =>
    `switches:\n${full}  s3: { ports: [{ ids: 0-6, lds: 256 }, { ids: 7, lds: 48 }], vcss: [${vcss}] }\ntenants: {}\n`;

  test('two hundred thousand objects and not one VCS further', () => {
    expect(mistakesOf(rest(''))).toEqual([]);
    expect(mistakesOf(rest('{ ids: 0, vppbs: 1 }'))).toEqual(['5:3 more than 200000 objects up to here']);
  });

  test('two thousand objects with a guess at what was meant', () => {
    // The switch, 256 ports that list 7 objects each, 9 VCSs of 23: 2,000.
    const listed = (vppbs: number) =>
      `switches: { s: { ports: [{ ids: 0-255, lds: 5 }], vcss: [{ ids: 0-7, vppbs: 22 }, { ids: 8, vppbs: ${vppbs} }] } }\n` +
      'tenants: { acme: { owns: [/switches/s/vcss/9] } }\n';
    const helpOf = (text: string) => {
      const loaded = loadFabric({ text });
      return loaded.ok ? [] : loaded.error.map(({ help }) => help);
    };
    expect(helpOf(listed(22))).toEqual(['did you mean `/switches/s/vcss/0`?']);
    expect(helpOf(listed(23))).toEqual(['write a list such as `- /switches/sw0/ports/2`']);
  });

  test('a hundred brackets, wherever others were closed before', () => {
    const brackets = (open: number) => `${'['.repeat(open)}${']'.repeat(open)}`;
    const isDeep = (text: string) => mistakesOf(text).some((said) => said.includes('nested too deeply'));
    expect(isDeep(`a: ${brackets(100)}`)).toBe(false);
    expect(isDeep(`a: ${brackets(60)}\nb: ${brackets(60)}`)).toBe(false);
    expect(isDeep(`a: {b: {c: ${brackets(99)}}}`)).toBe(true);
    expect(isDeep(`a: "${']'.repeat(200)}"\nb: ${brackets(101)}`)).toBe(true);
    expect(isDeep(`${'- '.repeat(19)}a`)).toBe(false);
    expect(isDeep(`a: ${': '.repeat(20)}`)).toBe(true);
    expect(isDeep(`${'-\t'.repeat(20)}a`)).toBe(true);
  });
});

describe('hosts of a port', () => {
  const fabric = fabricOf(ofPorts('{ ids: 0, lds: 2 }, { ids: 1, lds: 2 }, { ids: 2 }', '/switches/s/ports/0/lds/1'));

  test.each([
    ['/switches/s/ports/0/hosts/1', 'acme'],
    ['/switches/s/ports/0/hosts/0', 'fabric'],
    ['/switches/s/ports/0/hosts/2', 'fabric'],
    ['/switches/s/ports/0/heads/1', 'fabric'],
    ['/switches/s/ports/1/hosts/1', 'fabric'],
    ['/switches/s/ports/2/hosts/1', 'fabric'],
    ['/switches/s/ports/3/hosts/1', undefined],
  ] as const)('%s belongs to whom the LD of that number belongs: %s', (path, owner) => {
    expect(fabric.ownerOf(path)).toBe(owner);
  });
});

describe('a mistake is named after', () => {
  test('the path that was read', () => {
    const directory = mkdtempSync(join(tmpdir(), 'fabric-limits-'));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    const path = join(directory, 'rack.yaml');
    writeFileSync(path, 'a: 1\n');
    const loaded = loadFabric(path);
    expect(loaded.ok ? [] : [...new Set(loaded.error.map(({ file }) => file))]).toEqual([path]);
  });

  test('`fabric.yaml` when a text has no name', () => {
    const loaded = loadFabric({ text: '' });
    expect(loaded.ok ? [] : [...new Set(loaded.error.map(({ file }) => file))]).toEqual(['fabric.yaml']);
  });

  test('a byte that is not UTF-8 and a text that is too large alone: nothing else is said of such a file', () => {
    const directory = mkdtempSync(join(tmpdir(), 'fabric-limits-'));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    const path = join(directory, 'latin.yaml');
    writeFileSync(path, Buffer.from('a: \u00fc\u0007\n', 'latin1'));
    const loaded = loadFabric(path);
    expect(loaded.ok ? [] : loaded.error.map(({ code }) => code)).toEqual(['not-utf8']);
    const exact = loadFabric({ text: `${ofPorts('{ ids: 0 }')}${'#'.repeat((1 << 20) - 75)}` });
    expect(exact.ok).toBe(true);
  });

  test('each line that hides something, and nothing about what is hidden behind it', () => {
    expect(mistakesOf(`switches: \u200b{}\n\ntenants: "\u0007"\n`)).toEqual([
      '1:11 the invisible character U+200B is not allowed',
      '3:11 the invisible character U+0007 is not allowed',
    ]);
  });
});
