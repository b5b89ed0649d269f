/**
 * What the words of policies mean, in words for people who know neither casbin nor CXL. Pure text, no rule is decided here.
 * A leaf without imports at run time, so that a client can use it without the engine.
 */

export { commandWords } from './commands.ts';

/** `/switches/sw0/ports/3/lds/1` as `logical device 1 behind port 3`; the path itself where it is none of ours. */
export function resourceWords(path: string): string {
  const [, switches, name, part, id, below, subId] = path.split('/');
  if (switches !== 'switches' || name === undefined) return path;
  if (part === undefined) return `switch ${name} itself`;
  const here = part === 'ports' ? `port ${id}` : `virtual switch ${id}`;
  if (below === undefined) return here;
  switch (below) {
    case 'lds':
      return `logical device ${subId} behind ${here}`;
    case 'ldpool':
      return `the pool of the device behind ${here}`;
    case 'heads':
      return `head ${subId} of the device behind ${here}`;
    case 'hosts':
      return `host ${subId} of the device behind ${here}`;
    case 'tags':
      return `capacity tag ${subId} behind ${here}`;
    case 'vppbs':
      return `slot ${subId} of ${here}`;
    default:
      return path;
  }
}

const classes: ReadonlyMap<string, string> = new Map([
  ['allowlisted', 'one of the safe reads'],
  ['audited', 'a reviewed command, but not one of the safe reads'],
  ['raw', 'raw: nobody has reviewed what it does in this form'],
]);

export function classWords(commandClass: string): string {
  return classes.get(commandClass) ?? commandClass;
}

const scopes: ReadonlyMap<number, string> = new Map([
  [0, 'configuration'],
  [1, 'debug reading'],
  [2, 'debug writing'],
  [3, 'unrestricted debug writing'],
]);

/** `scope 2, debug writing`. */
export function scopeWords(scope: number): string {
  const words = scopes.get(scope);
  return words === undefined ? `scope ${scope}` : `scope ${scope}, ${words}`;
}

const reaches: ReadonlyMap<string, string> = new Map([
  ['query', 'it only asks and disturbs nobody'],
  ['own', "it touches and disturbs nothing but the caller's own"],
  ['cross-tenant', 'it touches or disturbs what belongs to more than the caller'],
  ['switch', 'it acts on the switch as a whole, and so on everybody on it'],
  ['opaque', 'nobody can tell from outside whom it disturbs'],
]);

export function reachWords(reach: string): string {
  return reaches.get(reach) ?? reach;
}

const conditionTexts: ReadonlyMap<string, string> = new Map([
  ['bound', 'the target is attached to a host right now'],
  ['bound-without-mld', 'the port is attached to a host and its device is not a shared one'],
  ['quirk', 'this device must not be sent this command'],
  ['other-log', 'it names a log other than the list of commands and their effects'],
  ['immediate-effect', 'it takes effect at once'],
  ['mutating', 'it changes state'],
  ['leaves-tenant', "the change leaves the caller's tenant without an operator's grant on each resource"],
  ['crosses-tenants', "the change leaves the caller's tenant"],
  ['caller-not-fabric', 'the caller is not an operator'],
  ['under-lockdown-reads', 'the configuration leaves safe reads only under lockdown'],
  ['under-lockdown-off', 'the configuration leaves nothing under lockdown'],
]);

/** A condition of a mandatory row as a clause. */
export function conditionWords(condition: string): string {
  return conditionTexts.get(condition) ?? condition;
}

const steps: ReadonlyMap<string, string> = new Map([
  ['structure', 'the form of the command'],
  ['raw-gate', 'the gate for raw commands'],
  ['payload', 'the content of the command'],
  ['cel', 'what the device says it supports'],
  ['exclusive', 'what the broker keeps for itself'],
  ['offered', 'what is offered to anybody at all'],
  ['mandatory', 'the mandatory rules'],
  ['scope', 'the token'],
  ['ownership', 'who owns what'],
  ['grant', 'the grants'],
  ['quota', 'the share of each tenant'],
]);

/** A step of the decision: what was looked at. */
export function stepWords(step: string): string {
  return steps.get(step) ?? step;
}

/** One thing that stands against a command, as a sentence. */
export function againstSentence(reason: {
  readonly step: string;
  readonly rule: string;
  readonly text: string;
  readonly source?: string | undefined;
}): string {
  const { step, rule, text, source } = reason;
  const verb = step === 'mandatory' || step === 'grant' ? 'stand' : 'stands';
  // A rule that is called like its step says nothing more.
  const named = [...(rule === step ? [] : [rule]), ...(source === undefined ? [] : [`at ${source}`])];
  return startSentence(
    `${stepWords(step)} ${verb} against it${named.length === 0 ? '' : ` (${named.join(' ')})`}: ${text}`,
  );
}

/** With a capital letter and a full stop. */
export function startSentence(text: string): string {
  const first = `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
  return /[.?!]$/.test(first) ? first : `${first}.`;
}

const lifts: ReadonlyMap<string, string> = new Map([
  ['L', 'lockdown ends with the next boot of the host, not before'],
  ['T', 'an operator has to look at the component and acknowledge the taint'],
  ['P', 'that is how this broker is set up, and no grant changes it'],
  ['B', 'the target has to be detached from its host first'],
  ['Q', 'the device cannot take this command'],
]);

/** What would lift a mandatory rule, by the first letter of its id. */
export function liftWords(ruleId: string): string {
  return lifts.get(ruleId.charAt(0)) ?? 'no grant changes it';
}

/** `a`, `a and b`, `a, b and c`. */
export function listWords(words: readonly string[], last: 'and' | 'or' = 'and'): string {
  if (words.length < 2) return words.join('');
  return `${words.slice(0, -1).join(', ')} ${last} ${words.at(-1)}`;
}

/** `1 row`, `2 rows`. */
export function countWords(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
