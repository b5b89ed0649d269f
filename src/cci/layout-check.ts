import { enumNames } from './enums.ts';
import type { BitRange, BitsField, Extent, Field, Layout } from './layout.ts';
import { elementSize, smallestSize } from './value.ts';

/**
 * What is wrong with a layout as such: empty where nothing is. The catalogue is held to this by a test, a reviewed vendor
 * row when it is loaded: the codecs rely on it.
 */
export function layoutProblems(layout: Layout): readonly string[] {
  const problems = fieldsProblems(layout.fields, '');
  const smallest = smallestSize(layout.fields);
  if (layout.min < smallest) problems.push(`min ${layout.min} is less than the ${smallest} bytes of its fields`);
  if (layout.max !== null && layout.max < layout.min) problems.push(`max ${layout.max} is less than min ${layout.min}`);
  return problems;
}

const NAME = /^[a-z][a-z0-9_]*$/;

function fieldsProblems(fields: readonly Field[], path: string): string[] {
  const problems: string[] = [];
  const before = new Set<string>();
  for (const [index, field] of fields.entries()) {
    const last = index === fields.length - 1;
    const name = field.kind === 'reserved' ? 'reserved' : field.name;
    const say = (text: string): void => {
      problems.push(`${path}${name}: ${text}`);
    };
    if (field.kind !== 'reserved') {
      // Anything else (`__proto__` above all) would not stay a plain member of the value.
      if (!NAME.test(name)) say('is not a lower-case name');
      // `constructor`: where the field is left off, reading it would find what every object has.
      else if (name in Object.prototype) say('is a name that every object has');
      if (before.has(name)) say('appears twice');
      before.add(name);
    }
    fieldProblems(field, before, last, say);
    if (field.kind === 'list' && field.element.kind === 'struct') {
      problems.push(...fieldsProblems(field.element.fields, `${path}${name}[].`));
    }
  }
  return problems;
}

function fieldProblems(field: Field, before: ReadonlySet<string>, last: boolean, say: (text: string) => void): void {
  switch (field.kind) {
    case 'uint':
      if (field.options.enum !== undefined) enumProblem(field.options.enum, say);
      if (field.options.enum !== undefined && field.width === 8) say('64 bits are too many for a code');
      break;
    case 'bits':
      bitsProblems(field, say);
      break;
    case 'bytes':
      extentProblem(field.extent, before, last, say);
      break;
    case 'list':
      extentProblem(field.extent, before, last, say);
      if (elementSize(field.element) === 0) say('an element may be empty, so a counter could ask for any number');
      break;
  }
  if ((field.kind === 'uint' || field.kind === 'bits') && (field.options.optional || field.options.absentIn) && !last) {
    say('only the last field can be left off');
  }
}

function extentProblem(extent: Extent, before: ReadonlySet<string>, last: boolean, say: (text: string) => void): void {
  if (extent === 'rest' && !last) say('takes the rest, but something follows');
  if (typeof extent === 'object' && !before.has(extent.counter))
    say(`its counter ${extent.counter} is not in front of it`);
}

function enumProblem(name: Parameters<typeof enumNames>[0], say: (text: string) => void): void {
  if (enumNames(name).length === 0) say(`there is no enum ${name}`);
}

function bitsProblems(field: BitsField, say: (text: string) => void): void {
  const taken = new Set<number>();
  for (const [name, range] of Object.entries(field.bits)) {
    if (!NAME.test(name)) say(`part ${name} is not a lower-case name`);
    else if (name in Object.prototype) say(`part ${name} has a name that every object has`);
    if (range[2] !== undefined) enumProblem(range[2], say);
    if (!rangeFits(range, field.width * 8, (text) => say(`part ${name} ${text}`))) continue;
    for (let bit = range[0]; bit <= range[1]; bit++) {
      if (taken.has(bit)) say(`part ${name} shares bit ${bit}`);
      taken.add(bit);
    }
  }
}

function rangeFits([low, high]: BitRange, width: number, say: (text: string) => void): boolean {
  // Parts are numbers unless they reach bit 63.
  if (high !== 63 && high - low > 52) say('is too wide for a number');
  const fits = low >= 0 && low <= high && high < width;
  if (!fits) say(`has bits ${high}:${low} of ${width}`);
  return fits;
}
