import { closest } from '../load/closest.ts';
import { visible } from '../load/error.ts';
import { linesOf } from '../load/file.ts';
import { type Finding, type FindingCode, finding, findingCodes } from './finding.ts';

/**
 * `# cci:allow CODE: reason`, on a line of its own directly above what it speaks about: it silences that one finding there,
 * and no other. Several stand one below the other.
 */
interface Silencer {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly code: FindingCode;
  readonly reason: string;
  /** The line that it speaks about. */
  readonly target: number;
}

const MARK = /^[ \t]*#[ \t]*cci:/;
const FORM = /^[ \t]*#[ \t]*cci:allow[ \t]+([^\s:]+)[ \t]*:(.*)$/;

/** What can't be silenced: the mistakes of silencers themselves. */
const unsilenceable: ReadonlySet<string> = new Set(['unused-silencer', 'unknown-silencer', 'malformed-silencer']);
const silenceable = Object.keys(findingCodes).filter((code) => !unsilenceable.has(code)) as readonly FindingCode[];

/** The silencing comments of some files, and what is wrong with them. */
export class Silencers {
  readonly problems: Finding[] = [];
  readonly #silencers: Silencer[] = [];

  /** @param texts names as in findings, and what is in the files */
  constructor(texts: ReadonlyMap<string, string>) {
    for (const [file, text] of texts) this.#read(file, text);
  }

  #read(file: string, text: string): void {
    let open: Omit<Silencer, 'target'>[] = [];
    for (const [content, line] of linesOf(text)) {
      if (MARK.test(content)) {
        const silencer = this.#parse(file, line, content);
        if (silencer !== undefined) open.push(silencer);
        continue;
      }
      this.#silencers.push(...open.map((silencer) => ({ ...silencer, target: line })));
      open = [];
    }
    this.#silencers.push(...open.map((silencer) => ({ ...silencer, target: 0 })));
  }

  #parse(file: string, line: number, content: string): Omit<Silencer, 'target'> | undefined {
    const column = content.indexOf('#') + 1;
    const at = { file, line, column, text: visible(content.trim()) };
    const [, word, rest = ''] = FORM.exec(content) ?? [];
    const reason = rest.trim();
    if (word === undefined || reason === '') {
      const help = 'write `# cci:allow CODE: REASON`, such as `# cci:allow redundant: kept for the audit of 2027`';
      this.problems.push(finding('malformed-silencer', at, 'this comment does not say what is allowed and why', help));
      return undefined;
    }
    const code = silenceable.find((known) => known === word);
    if (code === undefined) {
      const near = closest(word, silenceable);
      const help = near === undefined ? `the codes are ${silenceable.join(', ')}` : `did you mean \`${near}\`?`;
      const why = `\`${visible(word)}\` is no finding that can be silenced`;
      this.problems.push(finding('unknown-silencer', at, why, help));
      return undefined;
    }
    return { file, line, column, code, reason };
  }

  /** The findings, with the reason at those that are silenced. */
  applied(findings: readonly Finding[]): readonly Finding[] {
    return findings.map((one) => {
      const silencer = this.#silencers.find((candidate) => isFor(candidate, one));
      return silencer === undefined ? one : { ...one, silenced: silencer.reason };
    });
  }

  /** @param findings of every profile: what one profile needs is not unused because another does not */
  unused(findings: readonly Finding[]): readonly Finding[] {
    return this.#silencers
      .filter((silencer) => !findings.some((one) => isFor(silencer, one)))
      .map(({ file, line, column, code }) =>
        finding(
          'unused-silencer',
          { file, line, column, text: `cci:allow ${code}` },
          `there is no \`${code}\` on the line below`,
          'remove the comment, or put it on the line directly above the row that it is about',
        ),
      );
  }
}

function isFor({ file, target, code }: Silencer, one: Finding): boolean {
  return file === one.file && target === one.line && code === one.code;
}
