import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { builtinCommands, type Layout, layout, rowBySlug, type TypedRow } from '../../../src/cci/index.ts';
import { at } from '../../../src/policy/meaning/at.ts';
import { answer, Desk, diffPolicies, matrixOf, parseQuestion } from '../../../src/policy/meaning/index.ts';
import { placeOf } from '../../../src/policy/meaning/invocations.ts';
import { knownSelector } from '../../../src/policy/meaning/known-selector.ts';
import { leastRequest } from '../../../src/policy/meaning/least-request.ts';
import { TenantRows } from '../../../src/policy/meaning/tenant-table.ts';
import { openPolicy } from '../../../src/policy/trace/index.ts';
import { fabric, sourceOf } from '../load/fixture.ts';

describe('what can only be a mistake of ours is never guessed', () => {
  test('an element that is not there', () => {
    expect(() => at([1], 1)).toThrow(RangeError);
    expect(() => at([1], -1)).toThrow(RangeError);
  });

  test('a selector that is none, a path that is none', () => {
    expect(() => knownSelector('set:nothing', builtinCommands)).toThrow(RangeError);
    expect(() => placeOf('/switches/')).toThrow(RangeError);
  });
});

test('no command is offered on a host mailbox alone, so questions assume an FM interface', () => {
  const prohibited = new Set(['P', 'P4', 'PMB']);
  const alone = builtinCommands.rows.filter(
    ({ support, notOffered, executesOn }) =>
      executesOn.includes('switch') &&
      notOffered === undefined &&
      prohibited.has(support.switchFmInterface) &&
      !prohibited.has(support.switchHostMailbox),
  );
  expect(alone).toEqual([]);
});

test('rows are found under the column that they have, and under no other', () => {
  expect(new TenantRows([[]]).under(0, 'own')).toEqual([]);
});

describe('the least request', () => {
  const row = (request: Layout): TypedRow => ({ ...(rowBySlug('bind-vppb') as TypedRow), request });

  test('has zeros, first names and nothing in lists, where nothing is wished', () => {
    const made = leastRequest(
      row(
        layout(0, null, [
          { kind: 'uint', name: 'wide', width: 8, options: {} },
          { kind: 'uint', name: 'least', width: 1, options: { min: 3 } },
          { kind: 'uint', name: 'wide_least', width: 8, options: { min: 3 } },
          { kind: 'uint', name: 'code', width: 1, options: { enum: 'port_control_opcode' } },
          { kind: 'int', name: 'signed', width: 2 },
          { kind: 'bits', name: 'one', width: 1, bits: { flag: [0, 0] }, options: {} },
          {
            kind: 'bits',
            name: 'several',
            width: 8,
            bits: { code: [0, 2, 'port_control_opcode'], high: [3, 63] },
            options: {},
          },
          { kind: 'bits', name: 'number', width: 1, bits: { low: [0, 3], rest: [4, 7] }, options: {} },
          { kind: 'bytes', name: 'fixed', extent: 4, options: {} },
          { kind: 'ascii', name: 'text', width: 4 },
          { kind: 'uuid', name: 'id', width: 16 },
          { kind: 'bitmap', name: 'map', width: 1 },
          { kind: 'reserved', width: 1 },
          { kind: 'bytes', name: 'rest', extent: 'rest', options: {} },
        ]),
      ),
      {},
    );
    expect(made?.params).toMatchObject({
      wide: 0n,
      least: 3,
      wide_least: 3n,
      signed: 0,
      one: false,
      several: { code: 'assert-perst', high: 0n },
      number: { low: 0, rest: 0 },
      text: '',
      map: [],
    });
  });

  test('leaves off what may be left off', () => {
    const made = leastRequest(
      row(
        layout(0, 2, [
          { kind: 'uint', name: 'maybe', width: 1, options: { optional: true } },
          { kind: 'bits', name: 'flags', width: 1, bits: { flag: [0, 0] }, options: { optional: true } },
        ]),
      ),
      {},
    );
    expect(made).toEqual({ params: {}, payload: new Uint8Array(0) });
  });

  test('is none where a wish does not fit', () => {
    expect(
      leastRequest(row(layout(1, 1, [{ kind: 'uint', name: 'port', width: 1, options: {} }])), { port: 300 }),
    ).toBeUndefined();
  });
});

describe('reviewed vendor commands are asked about by the fields that their rows name', () => {
  const slug = 'northbay-get-port-temperature';
  const yaml = readFileSync(`test/policy/load/commands/${slug}.yaml`, 'utf8');
  const reader = `p, role:a, acme, own, ${slug}, allow\np, role:a, acme, /switches/sw0, ${slug}, allow\ng, group:tenant/acme, role:a, acme\n`;

  async function opened(change: (text: string) => string) {
    const source = sourceOf({ tenants: { acme: reader }, fabric, profile: 'bmc' });
    if (!('files' in source)) throw new Error('no files');
    const policy = await openPolicy({
      ...source,
      files: { ...source.files, [`commands.d/${slug}.yaml`]: change(yaml) },
    });
    if (!policy.ok) throw new Error(policy.error.map(({ message }) => message).join('\n'));
    return policy.value;
  }

  test.each([
    ['{ port-field: port_id }', '/switches/sw0/ports/2', true],
    ['{ port-field: port_id, ld-field: sensor }', '/switches/sw0/ports/3/lds/1', true],
    ['{ vcs-field: port_id }', '/switches/sw0/vcss/0', true],
    ['{ vcs-field: port_id, vppb-field: sensor }', '/switches/sw0/vcss/0/vppbs/1', true],
    ['{ vcs-field: port_id, vppb-field: sensor }', '/switches/sw0/ports/2', false],
    ['switch', '/switches/sw0', true],
  ])('touches: %s on %s', async (touches, path, expected) => {
    const policy = await opened((text) =>
      text.replace('{ port-field: port_id }', touches).replace(', enum: { 0: module, 1: retimer }', ''),
    );
    const parsed = parseQuestion(`can acme ever ${slug} on ${path}`, policy.engine);
    if (!parsed.ok) throw new Error(parsed.problem.message);
    const found = answer(await Desk.of(policy, 'bmc'), parsed.question);
    expect({ yes: found.yes, obstacles: found.obstacles }).toMatchObject({ yes: expected });
  });

  test.each([
    ['owner_data: none', 'mutating: false', true],
    ['owner_data: possible', 'mutating: false', false],
    ['owner_data: none', 'mutating: true', false],
  ])('%s, %s: tenants may be granted it on the switch: %s', async (ownerData, mutating, expected) => {
    const policy = await opened((text) => {
      const more =
        mutating === 'mutating: true'
          ? text
              .replace('effects: none', 'effects: [immediate-policy-change]\nradius: whole-switch')
              .replace('scope: 1', 'scope: 3')
          : text;
      return more
        .replace('{ port-field: port_id }', 'switch')
        .replace('owner_data: none', ownerData)
        .replace('mutating: false', mutating);
    });
    const { rows } = await matrixOf(policy, 'bmc', { resource: '/switches/sw0' });
    expect(rows.some(({ commands }) => commands.includes(slug))).toBe(expected);
  });

  test('the same in both policies is no change, whatever else differs', async () => {
    const policy = await opened((text) => text);
    expect(await diffPolicies(policy, await opened((text) => text))).toMatchObject({ widened: false, narrowed: false });
  });
});
