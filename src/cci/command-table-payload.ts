import { readFields } from './command-table-fields.ts';
import { type FormPath, isMap, Members, quoted, type SayProblem, wholeNumber } from './command-table-form.ts';
import { idleCounters, sizeSpan } from './command-table-sizes.ts';
import type { Field, Layout } from './layout.ts';
import { layoutProblems } from './layout-check.ts';

/** Largest payload of any mailbox. */
const PAYLOAD_MAX = 1 << 20;
/** Reads `request:` or `response:`; undefined where something is wrong with it, which was said. */
export function layoutOf(members: Members, side: 'request' | 'response', say: SayProblem): Layout | undefined {
  const help = `write \`${side}: { size: 4, fields: [...] }\`; no bytes at all are \`{ size: 0, fields: [] }\``;
  const path = members.at(side);
  const form = members.get(side);
  if (!isMap(form)) {
    members.say(side, `\`${side}\` must be a mapping`, help);
    return undefined;
  }
  const parts = new Members(form, path, say);
  const size = sizeOf(parts);
  const fields = readFields(parts.get('fields'), parts.has('fields') ? parts.at('fields') : path, say);
  parts.finish();
  if (size === undefined || fields === undefined) return undefined;
  let sound = true;
  const saidAt: SayProblem = (...problem) => {
    sound = false;
    say(...problem);
  };
  // The sizes are looked at last, in words of their own.
  for (const problem of layoutProblems({ min: Number.MAX_SAFE_INTEGER, max: null, fields })) {
    // It begins with the name of the field; what is in an element is said of its list.
    saidAt(
      pathOfField(fields, problem.slice(0, problem.search(/[:[]/)), path),
      problem,
      'mend the layout: the codecs rely on it',
    );
  }
  for (const name of idleCounters(fields)) {
    saidAt(
      pathOfField(fields, name, path),
      `\`${name}\` must count exactly one list or bytes`,
      'make it a `uint`, or name it where it counts',
    );
  }
  return sound && fits(parts, size, fields) ? { min: size.min, max: size.max, fields } : undefined;
}

function pathOfField(fields: readonly Field[], name: string, path: FormPath): FormPath {
  const index = fields.findLastIndex((field) => field.kind !== 'reserved' && field.name === name);
  return [...path, 'fields', index];
}

interface Size {
  readonly min: number;
  readonly max: number;
}

function sizeOf(members: Members): Size | undefined {
  const help = 'write the bytes of the payload: `size: 4`, or `size: 2-34` where it varies';
  const text = members.text('size', help);
  if (text === undefined) return undefined;
  const [, low = '', high = low] = /^([0-9]{1,7})(?:-([0-9]{1,7}))?$/.exec(text) ?? [];
  const [min, max] = [wholeNumber(low), wholeNumber(high)];
  if (min !== undefined && max !== undefined && min <= max && max <= PAYLOAD_MAX) return { min, max };
  members.say('size', `${quoted(text)} is not a size of at most ${PAYLOAD_MAX} bytes`, help);
  return undefined;
}

/** The reviewer's figure against what the fields come to: a field left out or of the wrong width shows here. */
function fits(members: Members, { min, max }: Size, fields: readonly Field[]): boolean {
  const { least, most } = sizeSpan(fields);
  if (most > PAYLOAD_MAX && most !== Number.POSITIVE_INFINITY) {
    members.say(
      'size',
      `the fields can have ${most} bytes, no carrier holds more than ${PAYLOAD_MAX}`,
      'give the counter a `max`',
    );
    return false;
  }
  const open = most === Number.POSITIVE_INFINITY;
  if (min === least && (open || max === most)) return true;
  const right = open ? `${least}-MOST` : least === most ? String(least) : `${least}-${most}`;
  members.say(
    'size',
    `the fields have ${open ? `at least ${least}` : right} bytes, not ${min === max ? min : `${min}-${max}`}`,
    `write \`size: ${right}\`, or mend the fields`,
  );
  return false;
}
