import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { loadFabric } from '../../../src/policy/fabric/index.ts';
import type { Fabric, ResourcePath } from '../../../src/policy/types.ts';
import { cpuTimeMs } from '../../support/cpu-time.ts';

const directory = mkdtempSync(join(tmpdir(), 'fabric-'));
afterAll(() => rmSync(directory, { recursive: true }));

function fabricOf(text: string): Fabric {
  const loaded = loadFabric({ text });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.error));
  return loaded.value;
}

const shippedText = readFileSync('config/fabric.yaml', 'utf8');

describe('the shipped fabric file', () => {
  const fabric = fabricOf(shippedText);

  test('is read from its path', () => {
    const loaded = loadFabric('config/fabric.yaml');
    expect(loaded.ok && loaded.value.objects).toEqual(fabric.objects);
  });

  test('gives each tenant what the tour of the README shows', () => {
    expect(fabric.tenants).toEqual(['acme', 'fabric', 'globex']);
    const owner = (path: ResourcePath) => fabric.ownerOf(path);
    expect(owner('/switches/sw0')).toBe('fabric');
    expect(owner('/switches/sw0/ports/3')).toBe('fabric');
    expect(owner('/switches/sw0/ports/3/lds/1')).toBe('acme');
    expect(owner('/switches/sw0/ports/3/lds/2')).toBe('globex');
    expect(owner('/switches/sw0/ports/3/ldpool')).toBe('fabric');
    expect(owner('/switches/sw0/ports/2')).toBe('acme');
    expect(owner('/switches/sw0/vcss/1/vppbs/3')).toBe('globex');
    expect(owner('/switches/sw0/ports/7/lds/1')).toBe('fabric');
  });

  test('has exactly the ports, LDs and VCSs of the switch that the default configuration emulates', () => {
    const topology = parse(readFileSync('config/topologies/small.yaml', 'utf8')) as {
      readonly devices: Readonly<Record<string, { readonly lds?: number }>>;
      readonly ports: readonly { readonly ids: number; readonly device?: string }[];
      readonly vcss: readonly { readonly ids: number; readonly vppbs: number }[];
    };
    const sw0 = fabric.switches.get('sw0');
    const lds = (device: string | undefined) => (device === undefined ? 0 : (topology.devices[device]?.lds ?? 0));
    expect([...(sw0?.ports ?? [])]).toEqual(topology.ports.map(({ ids, device }) => [ids, { lds: lds(device) }]));
    expect([...(sw0?.vcss ?? [])]).toEqual(topology.vcss.map(({ ids, vppbs }) => [ids, { vppbs }]));
  });
});

describe('what exists', () => {
  const fabric = fabricOf(`
switches:
  b:
    ports: [{ ids: 10 }, { ids: 2, lds: 2 }]
    vcss: [{ ids: 3, vppbs: 1 }]
  a:
    ports: [{ ids: 0 }]
  c:
    ports: [{ ids: 5 }]
tenants:
  acme: { owns: [/switches/b/ports/2] }
  idle: {}
`);

  test('is listed in one order, whatever the order of the file', () => {
    expect(fabric.objects).toEqual([
      '/switches/a',
      '/switches/a/ports/0',
      '/switches/b',
      '/switches/b/ports/2',
      '/switches/b/ports/2/lds/0',
      '/switches/b/ports/2/lds/1',
      '/switches/b/ports/2/ldpool',
      '/switches/b/ports/10',
      '/switches/b/vcss/3',
      '/switches/b/vcss/3/vppbs/0',
      '/switches/c',
      '/switches/c/ports/5',
    ]);
    expect(fabric.tenants).toEqual(['acme', 'fabric', 'idle']);
  });

  test.each([
    ['/switches/b/ports/2/lds/1', 'acme'],
    ['/switches/b/ports/2/ldpool', 'acme'],
    ['/switches/b/ports/2/heads/0', 'acme'],
    ['/switches/b/ports/2/hosts/3', 'acme'],
    ['/switches/b/ports/2/tags/0123abcd-0000-0000-0000-000000000000', 'acme'],
    ['/switches/b/ports/10/heads/0', 'fabric'],
    ['/switches/b/ports/10/ldpool', undefined],
    ['/switches/b/ports/2/lds/2', undefined],
    ['/switches/b/ports/3/heads/0', undefined],
    ['/switches/b/ports/02', undefined],
    ['/switches/b/ports/2/', undefined],
    ['/switches/b/ports/2/tags/0123ABCD-0000-0000-0000-000000000000', undefined],
    ['/switches/b/ports/2/ldpool/', undefined],
    ['/switches/b/vcss/3/lds/0', undefined],
    ['/switches/b/vcss/3/vppbs/0/x', undefined],
    ['/switches/d', undefined],
    ['switches/b', undefined],
    ['/switches/b/other/1', undefined],
    ['/switches/b/ports/constructor/1', undefined],
  ])('%s belongs to %s', (path, owner) => {
    expect(fabric.ownerOf(path as ResourcePath)).toBe(owner);
    expect(fabric.exists(path as ResourcePath)).toBe(owner !== undefined);
  });
});

const head =
  'switches:\n  sw0:\n    ports: [{ ids: 0-3 }, { ids: 4, lds: 2 }]\n    vcss: [{ ids: 0, vppbs: 2 }]\ntenants:\n';

interface Mistake {
  readonly name: string;
  /** A whole file. */
  readonly file?: string;
  /** What stands below `tenants:` of the switches above. */
  readonly tenants?: string;
  readonly says: readonly string[];
}

const mistakes = parse(readFileSync(`${import.meta.dirname}/mistakes.yaml`, 'utf8')) as readonly Mistake[];

describe('a mistake in the fabric file', () => {
  test.each(mistakes)('$name is pointed at and mended', ({ file, tenants, says }) => {
    const loaded = loadFabric({ text: file ?? `${head}${tenants}`, name: 'lab.yaml' });
    if (loaded.ok) throw new Error('was accepted');
    expect(
      loaded.error.map(({ line, column, code, text, message, help }) =>
        [`${line}:${column} ${code}`, text, message, help].join(' | '),
      ),
    ).toEqual(says);
    expect(new Set(loaded.error.map(({ file }) => file))).toEqual(new Set(['lab.yaml']));
  });

  test('a thousand brackets or aliases end in a mistake, soon', () => {
    const bomb = `a: &a [x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nswitches: *c\ntenants: *c\n`;
    for (const text of [
      '['.repeat(1 << 20),
      '{a: '.repeat(200_000),
      '- '.repeat(500_000),
      bomb,
      '? '.repeat(100_000),
    ]) {
      const started = cpuTimeMs();
      expect(loadFabric({ text }).ok).toBe(false);
      expect(cpuTimeMs() - started).toBeLessThan(5000);
    }
  });

  test('thirty syntax errors are cut off at twenty, one for each place', () => {
    const text = `a: 1\n${'a: 1\n'.repeat(30)}`;
    const loaded = loadFabric({ text });
    if (loaded.ok) throw new Error('was accepted');
    expect(loaded.error).toHaveLength(20);
    expect(new Set(loaded.error.map(({ line, column }) => `${line}:${column}`)).size).toBe(20);
  });

  test('an alias in place of a list is refused, not followed', () => {
    const text = `${head}  acme: { owns: &o [/switches/sw0/ports/1] }\n  globex: { owns: *o }\n`;
    const loaded = loadFabric({ text });
    expect(loaded.ok ? [] : loaded.error.map(({ line }) => line)).toEqual([6, 7]);
  });

  test('all of them are said at once', () => {
    const text = `${head}  acme: { owns: [/switches/sw0/ports/9, /switches/sw0, ports] }\n  B: {}\n`;
    const loaded = loadFabric({ text });
    expect(loaded.ok ? 0 : loaded.error.length).toBe(4);
  });

  test('a text that is too large is not read, and in a large fabric nothing is guessed', () => {
    const large = loadFabric({ text: '#'.repeat((1 << 20) + 1) });
    expect(large.ok ? '' : large.error[0]?.code).toBe('too-large');
    const text =
      'switches: { s: { ports: [{ ids: 0-255, lds: 16 }] } }\ntenants: { acme: { owns: [/switches/s/ports/1/lds/16] } }';
    const wide = loadFabric({ text });
    expect(wide.ok ? '' : wide.error[0]?.help).toMatch(/write a list/);
  });

  test('a file that is a link, a directory, missing, too large or not UTF-8 is not read', () => {
    const link = join(directory, 'link.yaml');
    symlinkSync(join(process.cwd(), 'config/fabric.yaml'), link);
    const large = join(directory, 'large.yaml');
    writeFileSync(large, '#'.repeat((1 << 20) + 1));
    const latin = join(directory, 'latin.yaml');
    writeFileSync(latin, Buffer.from('# caf\u00e9\n# \u00fc', 'latin1'));
    const codeOf = (path: string) => {
      const loaded = loadFabric(path);
      return loaded.ok ? 'ok' : loaded.error.map(({ code, line, column }) => `${code} ${line}:${column}`).join();
    };
    expect(codeOf(link)).toBe('unreadable 1:1');
    expect(codeOf(directory)).toBe('unreadable 1:1');
    expect(codeOf(join(directory, 'none.yaml'))).toBe('unreadable 1:1');
    expect(codeOf(large)).toBe('too-large 1:1');
    expect(codeOf(latin)).toBe('not-utf8 1:6');
    expect(codeOf('\0')).toBe('unreadable 1:1');
  });

  test('a megabyte of keys takes seconds, not minutes, and the one that repeats is found', () => {
    const keys = Array.from({ length: 60_000 }, (_, i) => `  t${i}: {}\n`).join('');
    const started = cpuTimeMs();
    const loaded = loadFabric({ text: `${head}${keys}  t59999: {}\n` });
    expect(loaded.ok ? [] : loaded.error.map(({ line, message }) => `${line} ${message}`)).toEqual([
      `${head.split('\n').length + 60_000} map keys must be unique`,
    ]);
    expect(cpuTimeMs() - started).toBeLessThan(20_000);
  });

  test('no text makes the loader throw or dawdle', () => {
    const pieces = fc.constantFrom(
      'switches:',
      'tenants:',
      'owns:',
      'ids:',
      'lds:',
      ' ',
      '\n',
      '  ',
      '{',
      '}',
      '[',
      ']',
      ',',
      '-',
      '0-3',
      '&a',
      '*a',
      '!t',
      '"',
      "'",
      '|',
      '#',
      '?',
      ':',
      '/switches/sw0/ports/4',
      'acme',
      '\t',
      '%YAML 1.1',
      '---',
      '<<:',
    );
    const soup = fc.array(pieces, { maxLength: 40 }).map((parts) => parts.join(''));
    const mutated = fc
      .tuple(fc.nat(shippedText.length), fc.nat(40), fc.string({ unit: 'binary', maxLength: 10 }))
      .map(([at, cut, insert]) => shippedText.slice(0, at) + insert + shippedText.slice(at + cut));
    fc.assert(
      fc.property(fc.oneof(soup, mutated, fc.string({ unit: 'binary' })), (text) => {
        const started = cpuTimeMs();
        const loaded = loadFabric({ text });
        if (!loaded.ok) expect(loaded.error.length).toBeGreaterThan(0);
        expect(cpuTimeMs() - started).toBeLessThan(2000);
      }),
      { numRuns: 1500 },
    );
  });
});
