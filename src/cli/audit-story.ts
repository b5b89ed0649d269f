import type { ConsoleRecord, JournalRecord } from '../broker/journal/index.ts';
import { returnCodeName } from '../cci/index.ts';

/** A line of a story: what it is about, and what there is to say. */
export type StoryLine = readonly [label: string, text: string];

type Fields = Readonly<Partial<Record<string, unknown>>>;

/** One request from its first record to its last, in sentences. */
export function storyOf(records: readonly JournalRecord[]): readonly StoryLine[] {
  const asked = records.find(({ kind }) => kind === 'intent' || kind === 'decision');
  const all = [...(asked === undefined ? [] : opening(asked)), ...records.flatMap(chapter)];
  // A posture that is still the same is no news.
  let last: string | undefined;
  return all.filter(([label, text]) => {
    const isNews = label !== 'posture' || text !== last;
    if (label === 'posture') last = text;
    return isNews;
  });
}

function opening(record: JournalRecord): readonly StoryLine[] {
  const fields: Fields = { ...record };
  const by = `${word(fields.principal) ?? 'somebody unknown'}${suffix(' of ', fields.tenant)}`;
  const from = `${suffix(', token ', fields.tokenId)}${suffix(', from ', fields.source)}`;
  const groups = words(fields.groups);
  return [
    ['asked', `${record.at} by ${by}${from}`],
    ...line('', groups === undefined ? undefined : `in the groups ${groups}`),
    ...line('', commandOf(fields)),
    ...line('with', fieldsOf(fields.fields)),
    ...line('touches', words(fields.touched)),
    ...line('reaches', words(fields.tenants)),
    ...line('holds', words(fields.conditions)),
  ];
}

function chapter(record: JournalRecord): readonly StoryLine[] {
  const fields: Fields = { ...record };
  const place = `record ${record.seq}, ${record.at}`;
  if (record.kind === 'intent') {
    return [
      ...decided(fields),
      ...posture(fields),
      ...raised(fields),
      ['intent', `written down before it was sent (${place})`],
    ];
  }
  if (record.kind === 'decision') {
    return [...decided(fields), ...posture(fields), ...raised(fields), ...ended(fields, place), ...flagged(fields)];
  }
  if (record.kind === 'outcome') return [...ended(fields, place), ...posture(fields), ...flagged(fields)];
  if (record.kind === 'console' && record.change === 'recording') return recorded(record.recording, place);
  const what = [word(fields.change), word(fields.letter), word(fields.scope), word(fields.reason)].filter(Boolean);
  return [['also', `${record.kind}${what.length === 0 ? '' : `: ${what.join(', ')}`} (${place})`]];
}

/** Of the links of a recording the last one says it all. */
function recorded(link: ConsoleRecord['recording'], place: string): readonly StoryLine[] {
  if (link?.final !== true) return [];
  const seconds = (link.elapsedMs / 1000).toFixed(1);
  return [['also', `recording ${link.file}: ${seconds} s, ${link.bytes} bytes (${place})`]];
}

function commandOf({ command, opcode, path, class: commandClass, scope, reach }: Fields): string | undefined {
  if (command === undefined) return undefined;
  const code = typeof opcode === 'number' ? ` (${hex(opcode)})` : '';
  const where = word(path) === undefined || path === '' ? '' : ` at ${word(path)}`;
  const rank = [
    commandClass === undefined ? undefined : `class ${word(commandClass)}`,
    scope === undefined ? undefined : `scope ${word(scope)}`,
    reach === undefined ? undefined : `reach ${word(reach)}`,
  ].filter(Boolean);
  return `${word(command)}${code}${where}${rank.length === 0 ? '' : `: ${rank.join(', ')}`}`;
}

function decided(fields: Fields): readonly StoryLine[] {
  const { verdict, rule, outward, snapshot, topology, reasons } = fields;
  const by = rule === undefined ? '' : ` by ${word(rule)}`;
  const basis = `${suffix('; policy ', typeof snapshot === 'string' ? snapshot.slice(0, 12) : undefined)}${suffix(', fabric as of version ', topology)}`;
  const word_ = verdict === 'allow' ? 'allowed' : `refused${suffix(' with ', outward)}`;
  return [
    ['decided', `${word_}${by}${basis}`],
    ...list(reasons).map((reason): StoryLine => {
      const { step, rule: id, errno, text } = reason;
      return ['', `${word(id) ?? '?'} (${word(step) ?? '?'}, ${word(errno) ?? '?'}): ${word(text) ?? ''}`];
    }),
    ...list(fields.grants).map((grant): StoryLine => {
      const { resource, allowed, rule: row, source } = grant;
      const why = row === undefined ? 'no row names it' : `${word(row)}${suffix(' in ', source)}`;
      return ['', `${allowed === true ? 'allows' : 'refuses'} ${word(resource)}: ${why}`];
    }),
  ];
}

function ended(fields: Fields, place: string): readonly StoryLine[] {
  const details: Fields = { ...(isFields(fields.details) ? fields.details : {}) };
  const outcome = word(fields.outcome) ?? word(details.outcome);
  const codes = Array.isArray(fields.returnCodes) ? fields.returnCodes.map(codeText).join(', ') : undefined;
  const why = word(fields.reason) ?? word(details.note) ?? failureOf(details.failure);
  const said = word(details.said);
  if (outcome === undefined) {
    return [['ended', `not sent (${place})`], ...line('told', said), ...line('', why), ...timings(fields)];
  }
  const meaning =
    outcome === 'unknown' ? 'unknown: it may have been executed' : outcome === 'done' ? 'done' : 'not sent';
  return [
    ['ended', `${meaning}${suffix(': ', codes)} (${place})`],
    ...line('', why),
    ...line('told', said),
    ...timings(fields),
  ];
}

function timings({ durationMs, queueMs, deviceMs }: Fields): readonly StoryLine[] {
  if (typeof durationMs !== 'number') return [];
  const parts = [
    typeof queueMs === 'number' ? `${queueMs} ms until its turn` : undefined,
    typeof deviceMs === 'number' ? `${deviceMs} ms at the device` : undefined,
  ].filter(Boolean);
  return [['took', `${durationMs} ms${parts.length === 0 ? '' : `: ${parts.join(', ')}`}`]];
}

function posture(fields: Fields): readonly StoryLine[] {
  const now = postureText(fields.posture);
  if (now === undefined) return [];
  const before = postureText(fields.postureBefore);
  const taint = words(fields.activeTaint);
  const active = taint === undefined ? '' : `; in force on what it touches: ${taint}`;
  return [['posture', `${before === undefined ? '' : `${before}, then `}${now}${active}`]];
}

function postureText(value: unknown): string | undefined {
  if (!isFields(value)) return undefined;
  return `lockdown ${word(value.lockdown) ?? '?'}, taint ${word(value.taint) ?? '?'} (version ${word(value.version) ?? '?'})`;
}

function raised({ taints }: Fields): readonly StoryLine[] {
  return list(taints).map(({ letter, scope, reason }) => [
    'raises',
    `taint ${word(letter)} on ${word(scope)}${suffix(': ', reason)}`,
  ]);
}

function flagged({ flags }: Fields): readonly StoryLine[] {
  return line('flags', words(flags));
}

function failureOf(value: unknown): string | undefined {
  return isFields(value) ? `${word(value.errno) ?? '?'}: ${word(value.text) ?? ''}` : undefined;
}

function fieldsOf(value: unknown): string | undefined {
  if (!isFields(value)) return undefined;
  const parts = Object.entries(value).map(
    ([name, part]) => `${name} ${typeof part === 'object' ? JSON.stringify(part) : String(part)}`,
  );
  return parts.length === 0 ? undefined : parts.join(', ');
}

function codeText(code: unknown): string {
  return typeof code === 'number' ? `${hex(code)} ${returnCodeName(code)}` : String(code);
}

function hex(code: number): string {
  return `${code.toString(16).padStart(4, '0')}h`;
}

function line(label: string, text: string | undefined): readonly StoryLine[] {
  return text === undefined || text === '' ? [] : [[label, text]];
}

function suffix(before: string, value: unknown): string {
  const text = word(value);
  return text === undefined ? '' : `${before}${text}`;
}

function word(value: unknown): string | undefined {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
}

function words(value: unknown): string | undefined {
  return Array.isArray(value) && value.length > 0 ? value.map(String).join(', ') : undefined;
}

function list(value: unknown): readonly Fields[] {
  return Array.isArray(value) ? value.filter(isFields) : [];
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
