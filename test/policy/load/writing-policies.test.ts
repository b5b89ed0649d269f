import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { formatLoadError, loadPolicy } from '../../../src/policy/load/index.ts';
import { callerOf, commandOf, fabricOf, shipped } from './fixture.ts';

const page = readFileSync('docs/writing-policies.md', 'utf8');

interface Example {
  readonly language: string;
  readonly name: string;
  readonly isWrong: boolean;
  readonly text: string;
}

const examples: readonly Example[] = [...page.matchAll(/^```(\w+) (\S+)( wrong)?\n(.*?)^```$/gms)].map(
  ([, language = '', name = '', wrong, text = '']) => ({ language, name, isWrong: wrong !== undefined, text }),
);
const fabric = fabricOf(examples.find(({ name }) => name === 'fabric')?.text ?? '');
const [first, bind] = examples.filter(({ name }) => name === 'tenants/initech.csv');
const wrong = examples.find(({ isWrong }) => isWrong);

function filesWith({ name, text }: Example): Record<string, string> {
  const files: Record<string, string> = {
    'model.conf': shipped['model.conf'] ?? '',
    'mandatory.csv': shipped['mandatory.csv'] ?? '',
    'tenants/initech.csv': first?.text ?? '',
  };
  files[name] = name === 'mandatory.csv' ? `${files[name]}${text}` : text;
  return files;
}

describe('docs/writing-policies.md', () => {
  test('has its examples', () => {
    expect(examples.map(({ language, name }) => `${language} ${name}`)).toEqual([
      'yaml fabric',
      'csv tenants/initech.csv',
      'csv tenants/initech.csv',
      'csv tenants/initech.csv',
      'csv tenants/fabric.csv',
      'csv mandatory.csv',
      'csv tenants/initech.csv',
      'text errors',
      // Run with the commands that stand beside them, by test/cli/policy/writing-policies.test.ts.
      'console review',
      'yaml tests/initech.yaml',
      'console suite',
      'console explain',
    ]);
  });

  test.each(examples.filter(({ language, isWrong }) => language === 'csv' && !isWrong))(
    '$name is loaded as it stands there',
    async (example) => {
      const loaded = await loadPolicy({ files: filesWith(example), fabric, profile: 'host' });
      expect(loaded.ok ? '' : loaded.error.map(formatLoadError).join('\n')).toBe('');
    },
  );

  test('the first grants do what the text says', async () => {
    const loaded = await loadPolicy({ files: filesWith(bind as Example), fabric, profile: 'host' });
    if (!loaded.ok) throw new Error('not loaded');
    const bill = callerOf('initech', { subject: 'bill', issuer: 'https://idp.example' });
    const other = callerOf('initech', { subject: 'other', issuer: 'https://idp.example' });
    expect(loaded.value.grant(bill, '/switches/sw0/ports/3/lds/1', commandOf('bind-vppb')).allowed).toBe(true);
    expect(loaded.value.grant(bill, '/switches/sw0/vcss/0/vppbs/2', commandOf('bind-vppb')).allowed).toBe(true);
    expect(loaded.value.grant(bill, '/switches/sw0/ports/5', commandOf('bind-vppb')).allowed).toBe(false);
    expect(loaded.value.grant(bill, '/switches/sw0/ports/5', commandOf('get-physical-port-state')).allowed).toBe(true);
    expect(loaded.value.grant(other, '/switches/sw0/ports/3/lds/1', commandOf('bind-vppb')).allowed).toBe(false);
    expect(loaded.value.grant(other, '/switches/sw0/ports/5', commandOf('get-physical-port-state')).allowed).toBe(true);
  });

  test('the row about the switch itself gives what the first ones do not', async () => {
    const row = 'p, role:reader, initech, /switches/sw0, class:allowlisted, allow';
    expect(page).toContain(`\`${row}\``);
    const allowed = async (text: string) => {
      const loaded = await loadPolicy({ files: filesWith({ ...(first as Example), text }), fabric, profile: 'host' });
      const identify = commandOf('identify-switch-device');
      return loaded.ok && loaded.value.grant(callerOf('initech'), '/switches/sw0', identify).allowed;
    };
    expect(await allowed(String(first?.text))).toBe(false);
    expect(await allowed(`${first?.text}${row}\n`)).toBe(true);
  });

  test('the errors are those that are printed there', async () => {
    const loaded = await loadPolicy({ files: filesWith(wrong as Example), fabric, profile: 'host' });
    const printed = loaded.ok ? '' : `${loaded.error.map(formatLoadError).join('\n')}\n`;
    expect(printed).toBe(examples.find(({ name }) => name === 'errors')?.text);
  });
});
