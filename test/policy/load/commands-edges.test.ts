import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { readPolicy } from '../../../src/policy/load/index.ts';
import { sourceOf } from './fixture.ts';

// The last reviewed vendor command that is one and the first that is not: bounds of the range, of names and of numbers.

const SLUG = 'northbay-get-port-temperature';
const sound = readFileSync(`${import.meta.dirname}/commands/${SLUG}.yaml`, 'utf8');

async function outcome(from: string, to: string): Promise<string> {
  const changed = sound.replace(from, () => to);
  expect(changed).not.toBe(sound);
  const source = sourceOf({});
  const files = { ...('files' in source ? source.files : {}), [`commands.d/${SLUG}.yaml`]: changed };
  const loaded = await readPolicy({ ...source, files, today: '2026-11-23' });
  return loaded.ok ? 'taken' : 'refused';
}

const long = (length: number): string => 'a'.repeat(length);

describe('a reviewed vendor command', () => {
  test.each([
    ['the first opcode of vendors', 'opcode: 0xc010', 'opcode: 0xc000', 'taken'],
    ['the last opcode', 'opcode: 0xc010', 'opcode: 0xffff', 'taken'],
    ['the opcode before those of vendors', 'opcode: 0xc010', 'opcode: 0xbfff', 'refused'],
    ['an opcode of five digits', 'opcode: 0xc010', 'opcode: 0x1c010', 'refused'],
    ['a field name of 63 letters', 'name: sensor', `name: ${long(63)}`, 'taken'],
    ['a field name of 64', 'name: sensor', `name: ${long(64)}`, 'refused'],
    ['a field name with something after it', 'name: sensor', 'name: sensor!', 'refused'],
    ['a field name with a line after it', 'name: sensor', 'name: "sensor\\n"', 'refused'],
    ['a part name with something after it', 'throttled: 0', '"throttled ": 0', 'refused'],
    ['a part name with something before it', 'throttled: 0', '"Throttled": 0', 'refused'],
    ['a value name with something after it', '1: retimer }', '1: "retimer " }', 'refused'],
    ['a value name with something before it', '1: retimer }', '1: "-retimer" }', 'refused'],
    ['bits with something after them', 'bits: 1-2', 'bits: 1-2x', 'refused'],
    ['bits with something before them', 'bits: 1-2', 'bits: x1-2', 'refused'],
    ['bits past their field', 'bits: 1-2', 'bits: 6-8', 'refused'],
    ['bits to the end of their field', 'bits: 1-2', 'bits: 6-7', 'taken'],
    ['a date with something after it', 'date: 2026-11-02', 'date: "2026-11-02Z"', 'refused'],
    ['a date with something before it', 'date: 2026-11-02', 'date: "12026-11-02"', 'refused'],
    ['a date that is none', 'date: 2026-11-02', 'date: 2026-02-30', 'refused'],
    ['sizes with something after them', 'size: 5-37', 'size: 5-37x', 'refused'],
    ['sizes with something before them', 'size: 5-37', 'size: x5-37', 'refused'],
    ['a bound as large as the field', 'max: 31', 'max: 255', 'taken'],
    ['a bound over the field', 'max: 31', 'max: 256', 'refused'],
    ['bounds that leave one number', 'max: 31', 'min: 31, max: 31', 'taken'],
    ['bounds that leave none', 'max: 31', 'min: 32, max: 31', 'refused'],
    ['a reviewer who is not named', 'reviewer: Dana Okafor, platform security', 'reviewer: ???', 'refused'],
    ['a reviewer whose name ends like a gap', 'reviewer: Dana Okafor, platform security', 'reviewer: Felix', 'taken'],
    ['a help of 200 letters', 'help: physical port whose module is measured', `help: ${long(200)}`, 'taken'],
    ['a help that is an essay', 'help: physical port whose module is measured', `help: ${long(2000)}`, 'refused'],
  ])('with %s', async (_name, from, to, expected) => expect(await outcome(from, to)).toBe(expected));
});
