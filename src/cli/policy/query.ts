import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { type Paint, paint } from '../paint.ts';
import { safe, safeJson } from '../safe-text.ts';
import { UsageError } from '../usage-error.ts';
import { openedPolicy, type PolicyFlags, policyFiles } from './opened.ts';
import { few } from './words.ts';

export interface QueryFlags extends PolicyFlags {
  readonly json?: boolean;
}

type Answer = ReturnType<typeof import('../../policy/meaning/index.ts').answer>;
type Question = import('../../policy/meaning/index.ts').Question;

/** `cci policy query "can globex ever bind-vppb on /switches/sw0/ports/4"`: 0 yes, 3 no, each with its proof. */
export async function query(io: Io, words: readonly string[], flags: QueryFlags): Promise<ExitCode> {
  const files = await policyFiles(flags);
  const { profile } = files;
  const opened = await openedPolicy(files);
  const { Desk, answer, parseQuestion } = await import('../../policy/meaning/index.ts');
  const parsed = parseQuestion(words.join(' '), opened.engine);
  if (!parsed.ok) throw new UsageError(parsed.problem.message, parsed.problem.help);
  const desk = await Desk.of(opened, profile);
  const found = answer(desk, parsed.question);
  const { id: snapshot } = desk.side.engine;
  if (flags.json === true) io.out(`${safeJson({ ...found, profile, snapshot })}\n`);
  else io.out(text(found, parsed.question, profile, paint(io)));
  return found.yes ? EXIT.done : EXIT.denied;
}

function text(found: Answer, { kind }: Question, profile: string, colours: Paint): string {
  if (!found.yes) {
    const lines = found.obstacles.slice(0, 20).map(({ text: sentence, sources }) => {
      return `  ${safe(sentence)}${sources.length === 0 ? '' : ` [${few(sources, 4)}]`}\n`;
    });
    const more = found.obstacles.length > 20 ? `  and ${found.obstacles.length - 20} more reasons: see --json\n` : '';
    const no = kind === 'who' ? 'nobody' : 'no';
    return `${colours.red(no)}, in profile ${profile}:\n${lines.join('')}${more}`;
  }
  if (kind === 'can')
    return `${colours.green('yes')}, in profile ${profile}:\n${found.witnesses.map((one) => `  who      ${heading(one)}\n${witness(one)}`).join('')}`;
  return found.witnesses.map((one) => `${colours.bold(heading(one))}\n${witness(one)}`).join('\n');
}

function whoText({ tenant, names, also }: Answer['witnesses'][number]): string {
  const who = names.length === 0 ? `everybody of ${tenant}` : `${names.join(' together with ')} of ${tenant}`;
  return safe(also.length === 0 ? who : `${who}, and with the same roles ${few(also, 3)}`);
}

/** Names that are needed, and the roles that come with them. */
function heading(one: Answer['witnesses'][number]): string {
  return `${whoText(one)}${one.roles.length === 0 ? '' : `, with ${few(one.roles)}`}`;
}

function witness(one: Answer['witnesses'][number]): string {
  const params = one.params === undefined ? '' : ` ${JSON.stringify(one.params)}`;
  const lines = [
    `runs     ${one.command}${one.via === '' ? '' : ` via ${one.via}`}${params}`,
    ...one.touched.map(({ resource, source, row }) => `granted  on ${resource} by ${source}: ${row}`),
    `needs    a token with scope ${one.scope}`,
    ...one.provided.map((sentence) => `given    ${sentence}`),
    ...one.unless.map(({ when, by }) => `not when ${when}: ${by.join(', ')}`),
  ];
  return lines.map((line) => `  ${safe(line)}\n`).join('');
}
