import type { JournalVerdict } from './verify.ts';

/** One sentence for people about what of a journal is still trustworthy. */
export function summaryOf(verdict: Omit<JournalVerdict, 'summary'>): string {
  const { records, torn, recordings } = verdict;
  // What is wrong with a recording says nothing about records.
  const problemCount = verdict.problemCount - (recordings?.problemCount ?? 0);
  const end = torn === undefined ? '' : '; the last line is incomplete and no record';
  if (records === 0 && problemCount === 0) {
    return torn === undefined ? 'the journal is empty' : 'no whole record; an incomplete one';
  }
  const count = `${problemCount} ${problemCount === 1 ? 'problem' : 'problems'} in ${records} records`;
  const what = problemCount === 0 ? `${records} records, one unbroken chain` : `${count}: ${goodPart(verdict)}`;
  return `${what}${end}${recorded(recordings)}`;
}

/** Ranges that are spelled out. */
const SPELLED = 5;

function goodPart({ trusted, signed }: Omit<JournalVerdict, 'summary'>): string {
  if (signed !== undefined) {
    if (signed.authentic.length === 0) return 'nothing in it is vouched for by a signature';
    const ranges = signed.authentic.slice(0, SPELLED).map(({ from, to }) => `${from} to ${to}`);
    const more = signed.authentic.length > SPELLED ? ' and more' : '';
    return `sequences ${ranges.join(', ')}${more} are signed and as they were written, the rest can't be relied on`;
  }
  if (trusted === undefined) return 'nothing in it can be relied on';
  const { file, line, sequence } = trusted;
  return `up to sequence ${sequence} (${file}:${line}) it is unbroken, what follows can't be relied on`;
}

function recorded(recordings: JournalVerdict['recordings']): string {
  if (recordings === undefined) return '';
  const { files, problemCount } = recordings;
  if (problemCount > 0) {
    return `; ${problemCount} ${problemCount === 1 ? 'problem' : 'problems'} with recordings of consoles`;
  }
  if (files.length === 0) return '';
  return `; ${files.length} ${files.length === 1 ? 'recording' : 'recordings'} of consoles as written`;
}
