import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import {
  decodePayload,
  encodePayload,
  fromHex,
  isVendorRow,
  toHex,
  toJson,
  toJsonMasked,
  type Value,
} from '../../../src/cci/index.ts';
import { formatLoadError, loadPolicy, readPolicy } from '../../../src/policy/load/index.ts';
import { callerOf, fabric, shipped, sourceOf } from './fixture.ts';

const TODAY = '2026-11-23';
const sound = (slug: string) => readFileSync(`${import.meta.dirname}/commands/${slug}.yaml`, 'utf8');
const TEMPERATURE = 'northbay-get-port-temperature';
const PRESET = 'northbay-set-retimer-preset';
const bases = { temperature: [TEMPERATURE, sound(TEMPERATURE)], preset: [PRESET, sound(PRESET)] } as const;

const load = (commands: Record<string, string>, tenants?: Record<string, string>, mandatory?: string) => {
  const source = sourceOf({ ...(tenants ? { tenants } : {}), ...(mandatory ? { mandatory } : {}) });
  const named = Object.entries(commands).map(([slug, text]) => [`commands.d/${slug}.yaml`, text]);
  const files = { ...('files' in source ? source.files : {}), ...Object.fromEntries(named) };
  return readPolicy({ ...source, files, today: TODAY });
};

interface Mistake {
  readonly name: string;
  readonly base: keyof typeof bases;
  readonly replace?: readonly (readonly [string, string])[];
  readonly text?: string;
  readonly errors: readonly string[];
}

const mistakes = parse(readFileSync(`${import.meta.dirname}/mistakes/commands.yaml`, 'utf8')) as readonly Mistake[];

describe('a mistake in a reviewed vendor command', () => {
  test.each(mistakes)('$name is pointed at and mended', async ({ base, replace, text, errors }) => {
    const [slug, whole] = bases[base];
    const changed = (replace ?? []).reduce((file, [from, to]) => file.replace(from, () => to), text ?? whole);
    expect(changed).not.toBe(whole);
    const loaded = await load({ [slug]: changed });
    const shown = (loaded.ok ? [] : loaded.error).map(
      ({ code, line, column, text, message, help }) =>
        `${code} ${line}:${column} [${text.slice(0, 24)}] ${message} -> ${help}`,
    );
    expect(shown).toEqual(errors);
    for (const { file } of loaded.ok ? [] : loaded.error) expect(file).toBe(`commands.d/${slug}.yaml`);
  });

  test('more fields than anybody can review', async () => {
    const text = sound(TEMPERATURE).replace('  fields:\n', `  fields:\n${'    - { reserved: 1 }\n'.repeat(256)}`);
    const loaded = await load({ [TEMPERATURE]: text });
    expect(loaded.ok ? [] : loaded.error.map(({ line, message }) => `${line} ${message}`)).toEqual([
      '12 258 fields are more than 256',
    ]);
  });

  test('a file that is too large is not parsed', async () => {
    const loaded = await load({ [TEMPERATURE]: `${sound(TEMPERATURE)}# ${'x'.repeat(1 << 16)}\n` });
    expect(loaded.ok ? [] : loaded.error.map(({ code }) => code)).toEqual(['too-large']);
  });

  test('two files for one opcode', async () => {
    const other = sound(TEMPERATURE).replace(TEMPERATURE, 'northbay-other');
    const loaded = await load({ [TEMPERATURE]: sound(TEMPERATURE), 'northbay-other': other });
    expect(loaded.ok ? [] : loaded.error.map(formatLoadError)).toEqual([
      `commands.d/northbay-other.yaml:1:1: 0xc010 is described by \`commands.d/${TEMPERATURE}.yaml\` already\n  help: keep one of the two`,
    ]);
  });

  test('rows that name the command of a wrong file are not wrong for that', async () => {
    const wrong = sound(TEMPERATURE).replace('size: 2\n', 'size: 3\n');
    const rows = `p, role:a, acme, own, ${TEMPERATURE}, allow\n`;
    const mandatory = `${shipped['mandatory.csv']}p2, L20, integrity, *, *, *, *, *, bind-vppb|${TEMPERATURE} if mutating, deny, ours\n`;
    const loaded = await load({ [TEMPERATURE]: wrong }, { acme: rows }, mandatory);
    expect(loaded.ok ? [] : loaded.error.map(({ file }) => file)).toEqual([`commands.d/${TEMPERATURE}.yaml`]);
    const other = await load(
      { [TEMPERATURE]: wrong },
      { acme: rows },
      `${shipped['mandatory.csv']}p2, L20, *, *, *, *, *, *, binds, deny, x\n`,
    );
    expect(other.ok ? [] : other.error.map(({ file }) => file)).toEqual([
      `commands.d/${TEMPERATURE}.yaml`,
      'mandatory.csv',
    ]);
  });

  test('today is the last day of a review that counts, tomorrow is the future', async () => {
    const day = (date: string) => load({ [TEMPERATURE]: sound(TEMPERATURE).replace('2026-11-02', date) });
    expect((await day(TODAY)).ok).toBe(true);
    expect((await day('2026-11-24')).ok).toBe(false);
    const source = sourceOf({});
    const files = {
      ...('files' in source ? source.files : {}),
      [`commands.d/${PRESET}.yaml`]: sound(PRESET).replace('2024-02-29', '9999-12-31'),
    };
    const untold = await readPolicy({ ...source, files });
    expect(untold.ok ? [] : untold.error.map(({ message }) => message)).toEqual(['`9999-12-31` is in the future']);
  });
});

describe('reviewed vendor commands of a policy', () => {
  test('are typed rows beside the catalogue, with every kind of field', async () => {
    const loaded = await load({ [TEMPERATURE]: sound(TEMPERATURE), [PRESET]: sound(PRESET) });
    if (!loaded.ok) throw new Error(loaded.error.map(formatLoadError).join('\n'));
    const { commands } = loaded.value.rules;
    expect(commands?.reviewed.map(({ opcode, slug, set, background }) => [opcode, slug, set, background])).toEqual([
      [0xc010, TEMPERATURE, 'vendor', 'never'],
      [0xc0ff, PRESET, 'northbay', 'never'],
    ]);
    const row = commands?.rowBySlug(PRESET);
    if (!isVendorRow(row)) throw new Error('no row');
    expect(row.vendor.review).toEqual({
      reviewer: 'Dana Okafor',
      date: '2024-02-29',
      reference: 'Northbay NB-3200 management guide, revision 1.4, section 9.1',
      reason: 'operators tune retimers',
    });
    expect(row).toMatchObject({
      mutating: true,
      effects: 2,
      scope: 3,
      radius: 'target',
      executesOn: ['sld', 'fm-owned-ld'],
    });
    const value: Value = {
      lane: 16,
      serial: 2n ** 63n,
      offset: -2,
      speed: '32-gt',
      wide: { low: 7, on: true, all: 3n },
      keys: new Uint8Array([1, 2]),
      more: 9,
    };
    const bytes = encodePayload(row.request, value as never);
    if (!bytes.ok) throw new Error(bytes.error.message);
    expect(toHex(bytes.value)).toBe(
      '1000'.concat('0000000000000080', 'feff', '05', '0707000000000000', '02', '0102', '0000', '09'),
    );
    const back = decodePayload(row.request, bytes.value, { side: 'request' });
    expect(back.ok && back.value).toEqual(value);
    expect(toJsonMasked(row.request, value)).toMatchObject({ keys: '(masked)', more: 9 });
  });

  test('decode replies with codes of their own', async () => {
    const loaded = await load({ [TEMPERATURE]: sound(TEMPERATURE) });
    const row = loaded.ok ? loaded.value.rules.commands?.rowByOpcode(0xc010) : undefined;
    if (!isVendorRow(row)) throw new Error('no row');
    const bytes = fromHex('2a0003ff022a002b00') ?? new Uint8Array();
    const value = decodePayload(row.response, bytes, { side: 'reply' });
    expect(value.ok && toJson(value.value)).toEqual({
      celsius: 42,
      flags: { throttled: true, state: 'warning' },
      samples: [42, 43],
    });
    const unnamed = decodePayload(row.response, fromHex('2a0006ff00') ?? bytes, { side: 'reply' });
    expect(unnamed.ok && unnamed.value.flags).toEqual({ throttled: false, state: 3 });
    expect(decodePayload(row.request, new Uint8Array([1, 2]), { side: 'request' }).ok).toBe(false);
  });

  test('belong to the snapshot: its id changes with each byte of them', async () => {
    const id = async (commands: Record<string, string>) => {
      const loaded = await load(commands);
      return loaded.ok ? loaded.value.id : 'refused';
    };
    const ids = [
      await id({}),
      await id({ [TEMPERATURE]: sound(TEMPERATURE) }),
      await id({ [TEMPERATURE]: `${sound(TEMPERATURE)}\n` }),
    ];
    expect(new Set(ids).size).toBe(3);
    expect(ids).not.toContain('refused');
  });

  test('are read from the folder of a policy directory, where nothing else may lie', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'cci-commands-'));
    try {
      cpSync('policies', directory, { recursive: true });
      mkdirSync(join(directory, 'commands.d'));
      writeFileSync(join(directory, 'commands.d', `${TEMPERATURE}.yaml`), sound(TEMPERATURE));
      const loaded = await loadPolicy({ directory, fabric, profile: 'host', today: TODAY });
      expect(loaded.ok && loaded.value.commands.rowByOpcode(0xc010)?.slug).toBe(TEMPERATURE);
      writeFileSync(join(directory, 'commands.d', 'README.md'), 'x');
      const beside = await loadPolicy({ directory, fabric, profile: 'host', today: TODAY });
      expect(beside.ok ? [] : beside.error.map(({ code, file }) => `${code} ${file}`)).toEqual([
        'unknown-file commands.d/README.md',
      ]);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});

describe('grants of a reviewed vendor command', () => {
  const PORT = '/switches/sw0/ports/2';
  const engineWith = async (...rows: readonly string[]) => {
    const source = sourceOf({
      tenants: {
        acme: `${rows.map((row) => `p, role:a, acme, own, ${row}\n`).join('')}g, group:tenant/acme, role:a, acme\n`,
      },
    });
    const files = {
      ...('files' in source ? source.files : {}),
      [`commands.d/${TEMPERATURE}.yaml`]: sound(TEMPERATURE),
    };
    const loaded = await loadPolicy({ ...source, files, today: TODAY });
    if (!loaded.ok) throw new Error(loaded.error.map(formatLoadError).join('\n'));
    return loaded.value;
  };
  const typed = { opcode: 0xc010, slug: TEMPERATURE, set: 'vendor', class: 'audited', scope: 1 } as const;

  test.each([
    [`${TEMPERATURE}, allow`, true],
    ['set:vendor, allow', true],
    ['class:audited, allow', true],
    ['scope:1, allow', true],
    ['scope:<=0, allow', false],
    ['class:allowlisted, allow', false],
  ])('`%s` reaches it: %s', async (row, reached) => {
    const engine = await engineWith(row);
    expect(engine.grant(callerOf('acme'), PORT, typed).allowed).toBe(reached);
    // Submitted raw it is another matter.
    expect(engine.grant(callerOf('acme'), PORT, { ...typed, class: 'raw' }).allowed).toBe(false);
  });

  test('an opcode grants the raw submission and nothing typed; a denial by opcode takes both', async () => {
    const raw = await engineWith('opcode:0xc000-0xc0ff, allow');
    expect(raw.grant(callerOf('acme'), PORT, typed).allowed).toBe(false);
    expect(raw.grant(callerOf('acme'), PORT, { ...typed, class: 'raw' }).allowed).toBe(true);
    expect(raw.nearestMiss(callerOf('acme'), PORT, typed)?.missing).toMatch(
      /granted by its slug; the opcode grants it raw/,
    );
    const denied = await engineWith('opcode:0xc010, deny', 'class:audited, allow');
    expect(denied.grant(callerOf('acme'), PORT, typed)).toMatchObject({
      allowed: false,
      rule: { source: 'tenants/acme.csv:1' },
    });
  });

  test('a mistyped slug is told the right one, and a set that nobody described is unknown', async () => {
    const errors = async (row: string) => {
      const loaded = await load(
        { [TEMPERATURE]: sound(TEMPERATURE) },
        { acme: `p, role:a, acme, own, ${row}, allow\n` },
      );
      return loaded.ok ? [] : loaded.error.map(({ help }) => help);
    };
    expect(await errors('northbay-get-port-temperatur')).toEqual([`did you mean \`${TEMPERATURE}\`?`]);
    expect(await errors('set:vendr')).toEqual(['did you mean `set:vendor`?']);
    const without = await load({}, { acme: 'p, role:a, acme, own, set:vendor, allow\n' });
    expect(without.ok).toBe(false);
  });

  test('a reference that says another slug for the opcode is never decided', async () => {
    const engine = await engineWith('class:audited, allow');
    expect(() => engine.grant(callerOf('acme'), PORT, { ...typed, slug: 'something-else' })).toThrow(TEMPERATURE);
  });
});
