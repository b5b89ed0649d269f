import { readFileSync } from 'node:fs';
import { type FaultId, faults } from './faults/index.ts';
import { killedAt } from './faults/processes.ts';
import type { Fault, Sight } from './faults/types.ts';

/** Figures of the last whole run, by fault. Kept beside the tests, so that the page can be made again without them. */
export interface Figures {
  /** The machine that they were taken on. */
  readonly machine: string;
  readonly faults: { readonly [id: string]: { readonly [name: string]: number } };
}

export const figuresFile = new URL('figures.json', import.meta.url);
export const pageFile = new URL('../../docs/reliability.md', import.meta.url);

export function storedFigures(): Figures {
  return JSON.parse(readFileSync(figuresFile, 'utf8'));
}

/** docs/reliability.md, from what the tests declare and the figures that they have taken. */
export function page(figures: Figures): string {
  const ids = Object.keys(faults) as FaultId[];
  return `# Reliability

What is done to a running broker, what its callers see, and what is left. **This page is written by the tests**
(\`node scripts/write-reliability-doc.ts\`): each row is declared beside the test that brings the fault about in a real
\`cci serve\`, and the test fails where a caller sees anything else than the row says. After each fault the journal is held
against a list, kept outside the broker, of what reached the device:

* every change that reached the device has its intent in the journal;
* every intent has its outcome, and nothing is called \`done\` that did not reach the device;
* the journal verifies: chain and signatures.

\`npm test\` runs the rows marked *always*; \`npm run test:reliability\` runs all of them, every moment of the second table and
the time limits as they are shipped. Figures: ${figures.machine}, beside
other work.

## Faults

| fault | what is done | what is seen | nothing is lost | recovery | measured | run |
| --- | --- | --- | --- | --- | --- | --- |
${ids.map((id) => line(faults[id], figures.faults[id])).join('\n')}

## Killed in each stage of a command

A bind, and SIGKILL at one moment of it. The caller's connection ends without an answer. *Device*: it had executed the
command. *Journal*: what the journal says about it after the next start.

| moment | device | journal |
| --- | --- | --- |
${killedAt.map(({ stage, reached, left }) => `| ${stage} | ${reached ? 'yes' : 'no'} | ${LEFT[left]} |`).join('\n')}

A client that has no answer looks before it repeats a change: \`cci audit\` and the port or binding itself say what became of it.
`;
}

const LEFT = { nothing: 'nothing: it was never sent', unknown: 'intent, outcome `unknown`' } as const;

function line(fault: Fault, figures: { readonly [name: string]: number } = {}): string {
  const seen = Object.values(fault.sees).map(sight);
  const measured = Object.entries(fault.figures ?? {}).map(([name, phrase]) =>
    phrase.replace('#', shown(figures[name])),
  );
  const run = `${fault.runs === 'plain' ? 'always' : '`test:reliability`'}${fault.needs === 'root' ? ', as root' : ''}`;
  const cells = [fault.title, fault.done, seen.join('<br>'), fault.kept, fault.recovers, measured.join('; '), run];
  return `| ${cells.join(' | ')} |`;
}

function sight({ who, text, status, code, detail, socket }: Sight): string {
  const answer =
    status !== undefined
      ? [
          String(status),
          ...(code === undefined ? [] : [`\`${code}\``]),
          ...(detail === undefined ? [] : [`*${detail}*`]),
        ].join(' ')
      : SOCKETS[socket ?? 'closed'];
  return `${who}: ${answer}${text === undefined ? '' : ` (${text})`}`;
}

/** What a caller's socket says, in words. */
const SOCKETS: { readonly [error: string]: string } = {
  closed: 'the connection is closed',
  ECONNRESET: 'the connection is reset',
  ECONNREFUSED: 'no connection',
  NO_ANSWER: 'no answer in his time',
};

function shown(value: number | undefined): string {
  return value === undefined ? '?' : value.toLocaleString('en-US');
}
