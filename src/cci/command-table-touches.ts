import type { Component, Touches } from './catalogue/index.ts';
import { isMap, Members, quoted, type SayProblem } from './command-table-form.ts';
import type { Field } from './layout.ts';

const TOUCHES_HELP =
  'write `switch`, `path-end`, `{ port-field: F }`, `{ port-field: F, ld-field: F }`, `{ vcs-field: F }` or `{ vcs-field: F, vppb-field: F }`';

/** Reads `touches:`, held against where the command runs and what its request has, where that could be read. */
export function touchesOf(
  members: Members,
  say: SayProblem,
  executesOn: readonly Component[],
  fields: readonly Field[] | undefined,
): Touches {
  const form = members.get('touches');
  const onSwitch = executesOn.includes('switch');
  const refused: Touches = { kind: 'switch' };
  if (form === 'path-end') {
    if (onSwitch) members.say('touches', '`path-end` is for what is behind a tunnel', TOUCHES_HELP);
    return { kind: 'path-end' };
  }
  if (onSwitch && executesOn.length > 1)
    members.say(
      'executes_on',
      'the switch and what is behind it are two commands',
      'review each with its own touched object, under one opcode only one of them',
    );
  else if (!onSwitch && executesOn.length > 0)
    members.say('touches', 'behind a tunnel a command touches all that is there', 'write `touches: path-end`');
  if (form === 'switch') return { kind: 'switch' };
  if (!isMap(form)) {
    members.say(
      'touches',
      form === undefined ? '`touches` is missing' : 'nobody can tell what it touches',
      TOUCHES_HELP,
    );
    return refused;
  }
  const named = new Members(form, members.at('touches'), say);
  const shape = named.keys().toSorted().join(' ');
  const field = (key: string): string => idField(named, key, fields);
  switch (shape) {
    case 'port-field':
      return { kind: 'port', port: field('port-field') };
    case 'ld-field port-field':
      return { kind: 'ld', port: field('port-field'), ld: field('ld-field') };
    case 'vcs-field':
      return { kind: 'vcs', vcs: field('vcs-field') };
    case 'vcs-field vppb-field':
      return { kind: 'vppb', vcs: field('vcs-field'), vppb: field('vppb-field') };
    default:
      members.say('touches', 'nobody can tell what it touches', TOUCHES_HELP);
      return refused;
  }
}

/** The field of the request that holds an id: a plain number that is always there. */
function idField(named: Members, key: string, fields: readonly Field[] | undefined): string {
  const name = named.optionalText(key, TOUCHES_HELP);
  if (name === undefined || fields === undefined) return '';
  const field = fields.find((one) => one.kind !== 'reserved' && one.name === name);
  const isId =
    field?.kind === 'uint' && field.width <= 2 && field.options.enum === undefined && !field.options.optional;
  if (!isId)
    named.say(
      key,
      `${quoted(name)} is not a \`uint\` of one or two bytes that every request has`,
      'name the field of the request that holds the id',
    );
  return name;
}
