import {
  type Form,
  type FormPath,
  isList,
  isMap,
  Members,
  quoted,
  type SayProblem,
  wholeNumber,
} from './command-table-form.ts';
import { type EnumName, type EnumRef, enumNames } from './enums.ts';
import type { BitRange, Element, Extent, Field, UintField, UintOptions, UintWidth } from './layout.ts';

// Fields of a reviewed vendor command, in the kinds of `layout.ts`. What depends on one field alone is said here, where it
// stands; what depends on several is for `layoutProblems` and the sizes.

const KINDS = ['uint', 'int', 'bits', 'reserved', 'count', 'bytes', 'ascii', 'uuid', 'bitmap', 'list'] as const;
type Kind = (typeof KINDS)[number];
const WIDTHS: readonly number[] = [1, 2, 3, 4, 8];
const FIELD_HELP =
  'a field is one of `uint: 1|2|3|4|8`, `int: 2`, `bits: 1|2|3|4|8`, `reserved: N`, `count: 1|2|4`, `bytes: N|rest|COUNTER`, `ascii: N`, `uuid: 16`, `bitmap: N`, `list: N|rest|COUNTER`';
const NAME_HELP = 'write a name such as `fan_speed`: lower-case letters, digits and `_`, a letter first';
/** Bytes of the largest part that has one size. */
const PART_MAX = 1 << 16;
const FIELDS_MAX = 256;
const HELP_MAX = 200;
/** Kinds whose size is the same in every message: what an element of a list is made of. */
const FIXED: readonly Kind[] = ['uint', 'int', 'bits', 'reserved', 'bytes', 'ascii', 'uuid', 'bitmap'];

/** Reads `fields:`; undefined where something is wrong with one of them, which was said. */
export function readFields(
  form: Form | undefined,
  path: FormPath,
  say: SayProblem,
  within: 'payload' | 'element' = 'payload',
): readonly Field[] | undefined {
  if (!isList(form)) {
    say(path, 'fields must be a list', FIELD_HELP);
    return undefined;
  }
  if (form.length > FIELDS_MAX) {
    say(path, `${form.length} fields are more than ${FIELDS_MAX}`, 'bytes that nobody needs apart are one field');
    return undefined;
  }
  const fields = form.map((item, i) => readField(item, [...path, i], say, within));
  return fields.every((field) => field !== undefined) ? fields : undefined;
}

function readField(form: Form, path: FormPath, say: SayProblem, within: 'payload' | 'element'): Field | undefined {
  let sound = true;
  const said: SayProblem = (...problem) => {
    sound = false;
    say(...problem);
  };
  const members = Members.of(form, path, said, 'a field', FIELD_HELP);
  if (members === undefined) return undefined;
  const [kind, another] = KINDS.filter((one) => members.has(one));
  if (kind === undefined || another !== undefined) {
    said(path, kind === undefined ? 'the field has no kind' : 'the field has two kinds', FIELD_HELP);
    return undefined;
  }
  if (within === 'element' && !FIXED.includes(kind)) {
    said(
      members.at(kind),
      `an element of a list can't hold a \`${kind}\``,
      'elements have one size: counters and lists stand outside',
    );
    return undefined;
  }
  const field = fieldOf(kind, members, said, within);
  members.finish();
  return sound ? field : undefined;
}

function fieldOf(kind: Kind, members: Members, say: SayProblem, within: 'payload' | 'element'): Field | undefined {
  if (kind === 'reserved') return { kind, width: sizeOf(members, kind) };
  const name = nameOf(members);
  switch (kind) {
    case 'uint':
      return uintOf(name, members, say, within === 'payload');
    case 'int':
      members.number(kind, 2, 2);
      return { kind, name, width: 2, ...helpOf(members) };
    case 'bits': {
      const width = widthOf(members, kind);
      return { kind, name, width, bits: partsOf(members, say), options: optionsOf(members, within === 'payload') };
    }
    case 'count': {
      const width = widthOf(members, kind);
      return { kind, name, width, ...boundsOf(members, width) };
    }
    case 'bytes':
      return {
        kind,
        name,
        extent: extentOf(members, kind, within),
        options: { ...helpOf(members), ...secretOf(members) },
      };
    case 'ascii':
      return { kind, name, width: sizeOf(members, kind), ...helpOf(members), ...secretOf(members) };
    case 'uuid':
      members.number(kind, 16, 16);
      return { kind, name, width: 16, ...helpOf(members), ...secretOf(members) };
    case 'bitmap':
      return { kind, name, width: members.number(kind, 1, 512) ?? 1 };
    case 'list':
      return {
        kind,
        name,
        extent: extentOf(members, kind, within),
        element: elementOf(members, say),
        ...helpOf(members),
      };
  }
}

function nameOf(members: Members): string {
  const name = members.text('name', NAME_HELP) ?? '';
  if (name !== '' && !/^[a-z][a-z0-9_]{0,62}$/.test(name))
    members.say('name', `${quoted(name)} is not a name of a field`, NAME_HELP);
  return name;
}

function sizeOf(members: Members, key: Kind): number {
  return members.number(key, 1, PART_MAX) ?? 1;
}

function widthOf(members: Members, key: Kind): UintWidth {
  const help = 'write 1, 2, 3, 4 or 8 bytes';
  const width = wholeNumber(members.text(key, help) ?? '1');
  if (width !== undefined && WIDTHS.includes(width)) return width as UintWidth;
  members.say(key, `\`${key}\` has no such width`, help);
  return 1;
}

function helpOf(members: Members): { readonly help?: string } {
  const help = members.optionalText('help', 'write one sentence for people');
  if (help === undefined) return {};
  if (help.length > HELP_MAX || /[\p{C}\p{Zl}\p{Zp}]/u.test(help)) {
    members.say('help', `the help is not one line of at most ${HELP_MAX} characters`, 'write one sentence');
  }
  return { help };
}

function flag(members: Members, key: string): boolean {
  return members.word(key, ['true', 'false'], 'false') === 'true';
}

function secretOf(members: Members): { readonly secret?: true } {
  return flag(members, 'secret') ? { secret: true } : {};
}

function optionsOf(members: Members, mayBeLeftOff: boolean): UintOptions {
  const optional = mayBeLeftOff && flag(members, 'optional') ? ({ optional: true } as const) : {};
  return { ...helpOf(members), ...secretOf(members), ...optional };
}

function boundsOf(members: Members, width: UintWidth): { readonly min?: number; readonly max?: number } {
  const highest = width === 8 ? Number.MAX_SAFE_INTEGER : 256 ** width - 1;
  const min = members.has('min') ? members.number('min', 0, highest) : undefined;
  const max = members.has('max') ? members.number('max', 0, highest) : undefined;
  if (min !== undefined && max !== undefined && min > max)
    members.say('max', `\`max\` is less than \`min\``, 'write the smaller one as `min`');
  // Asked for here so that both are known keys where neither stands.
  members.get('min');
  members.get('max');
  return { ...(min === undefined ? {} : { min }), ...(max === undefined ? {} : { max }) };
}

function uintOf(name: string, members: Members, say: SayProblem, mayBeLeftOff: boolean): UintField {
  const width = widthOf(members, 'uint');
  const codes = members.get('enum');
  const options = optionsOf(members, mayBeLeftOff);
  if (codes === undefined) return { kind: 'uint', name, width, options: { ...boundsOf(members, width), ...options } };
  const named = codesOf(codes, members.at('enum'), width === 8 ? 0 : 256 ** width - 1, say);
  return { kind: 'uint', name, width, options: { ...options, ...(named === undefined ? {} : { enum: named }) } };
}

const CODES_HELP = 'write `{ 0: off, 1: on }`, or the name of a table such as `link_speed`';

/** Names of codes: a table of ours by name, or written out. */
function codesOf(form: Form, path: FormPath, highest: number, say: SayProblem): EnumRef | undefined {
  if (typeof form === 'string') {
    if (enumNames(form as EnumName).length > 0) return form as EnumName;
    say(path, `there is no table of codes ${quoted(form)}`, CODES_HELP);
    return undefined;
  }
  if (!isMap(form) || form.size === 0) {
    say(path, 'codes must be a mapping of numbers to names', CODES_HELP);
    return undefined;
  }
  const named: { [code: string]: string } = {};
  const names = new Set<string>();
  for (const [code, text] of form) {
    const value = wholeNumber(code);
    if (value === undefined || value > highest)
      say([...path, code], `${quoted(code)} is not a code from 0 to ${highest}`, CODES_HELP, 'key');
    else if (Object.hasOwn(named, value)) say([...path, code], `code ${value} has two names`, 'name it once', 'key');
    else if (typeof text !== 'string' || !/^[a-z0-9][a-z0-9.-]{0,62}$/.test(text))
      say([...path, code], 'the name of a code is one lower-case word', CODES_HELP);
    // A number for a name would be taken for a code.
    else if (wholeNumber(text) !== undefined)
      say([...path, code], `${quoted(text)} is a number, not a name`, CODES_HELP);
    else if (names.has(text))
      say([...path, code], `${quoted(text)} names two codes`, 'give each code a name of its own');
    else {
      named[String(value)] = text;
      names.add(text);
    }
  }
  return named;
}

const PARTS_HELP =
  'write `parts: { enabled: 0, mode: 1-3 }`: a bit or a range of bits; codes as `{ bits: 1-3, enum: ... }`';

function partsOf(members: Members, say: SayProblem): { readonly [name: string]: BitRange } {
  const form = members.get('parts');
  if (!isMap(form) || form.size === 0) {
    members.say('parts', '`parts` must name at least one bit', PARTS_HELP);
    return {};
  }
  const parts = new Map<string, BitRange>();
  for (const [name, part] of form) {
    const path = [...members.at('parts'), name];
    if (!/^[a-z][a-z0-9_]{0,62}$/.test(name)) say(path, `${quoted(name)} is not a name of bits`, NAME_HELP, 'key');
    const range = isMap(part) ? codedBits(part, path, say) : bitRange(part, path, say);
    if (range !== undefined) parts.set(name, range);
  }
  return Object.fromEntries(parts);
}

function codedBits(form: ReadonlyMap<string, Form>, path: FormPath, say: SayProblem): BitRange | undefined {
  const members = new Members(form, path, say);
  const range = bitRange(members.get('bits') ?? '', members.at('bits'), say);
  const codes = members.get('enum');
  members.finish();
  if (range === undefined) return undefined;
  if (codes === undefined) return range;
  const named = codesOf(codes, members.at('enum'), 2 ** (range[1] - range[0] + 1) - 1, say);
  return named === undefined ? undefined : [range[0], range[1], named];
}

function bitRange(form: Form, path: FormPath, say: SayProblem): readonly [number, number] | undefined {
  const match = typeof form === 'string' ? /^([0-9]{1,2})(?:-([0-9]{1,2}))?$/.exec(form) : null;
  if (match === null) {
    say(path, 'bits are a number or a range', PARTS_HELP);
    return undefined;
  }
  return [Number(match[1]), Number(match[2] ?? match[1])];
}

/** A number of them, the rest of the payload, or as many as a counter in front says. */
function extentOf(members: Members, key: 'bytes' | 'list', within: 'payload' | 'element'): Extent {
  const help = `write a number, \`rest\`, or the name of a \`count\` field in front of it`;
  const text = members.text(key, help) ?? '1';
  const fixed = wholeNumber(text);
  if (fixed !== undefined && fixed > 0 && fixed <= PART_MAX) return fixed;
  if (within === 'element') members.say(key, `an element of a list has a fixed number of ${key}`, 'write a number');
  if (text === 'rest') return 'rest';
  if (!/^[a-z][a-z0-9_]{0,62}$/.test(text)) members.say(key, `${quoted(text)} does not say how many`, help);
  return { counter: text };
}

const ELEMENT_HELP = 'write `of: { uint: 2 }`, or `of:` and a list of fields that are one element';

function elementOf(members: Members, say: SayProblem): Element {
  const form = members.get('of');
  if (isMap(form)) {
    const element = new Members(form, members.at('of'), say);
    if (!element.has('uint')) element.say('of', 'an element of one value is a `uint`', ELEMENT_HELP);
    const value = uintOf('element', element, say, false);
    element.finish();
    return value;
  }
  if (!isList(form) || form.length === 0) {
    members.say('of', 'a list has elements', ELEMENT_HELP);
    return { kind: 'struct', name: 'element', fields: [] };
  }
  return { kind: 'struct', name: 'element', fields: readFields(form, members.at('of'), say, 'element') ?? [] };
}
