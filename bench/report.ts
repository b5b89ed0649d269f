import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';

const page = new URL('../docs/benchmarks.md', import.meta.url);

const head = `# Benchmarks

Every table on this page is written by a script, which its heading names; nothing here is typed by hand. The machine is a small
shared one, so figures of one table belong together and figures of different tables do not. What the project promises, and which
benchmark holds it to that, is in [specification.md](specification.md).
`;

/**
 * How long an idle processor of a virtual machine looks for work before it halts, in microseconds. The kernel's default is
 * 200; where it is 0 each wake of a sleeping process costs an exit to the host, which is 20 to 50 us here.
 */
function haltPollUs(): number | undefined {
  try {
    return Number(readFileSync('/sys/module/haltpoll/parameters/guest_halt_poll_ns', 'utf8')) / 1000;
  } catch {
    return undefined;
  }
}

/** Puts a section into \`docs/benchmarks.md\`, in place of the one with that heading, and prints it. */
export function report(title: string, lines: readonly string[]): void {
  const pollUs = haltPollUs();
  const heading = pollUs === undefined || pollUs === 0 ? title : `${title}, on processors that poll before they halt`;
  const idle =
    pollUs === undefined
      ? ''
      : pollUs === 0
        ? ', which halt as soon as they are idle'
        : `, which poll for ${pollUs} us`;
  const machine = `Measured with Node ${process.versions.node} on ${cpus().length} cores (${cpus()[0]?.model.trim() ?? 'unknown'})${idle}.`;
  const section = [`## ${heading}`, '', machine, '', ...lines, ''].join('\n');
  console.log(section);
  if (process.argv.includes('--print')) return;
  const parts = (existsSync(page) ? readFileSync(page, 'utf8') : head).split(/^(?=## )/m);
  const [intro = head, ...sections] = parts;
  const kept = sections.filter((one) => !one.startsWith(`## ${heading}\n`)).map((one) => one.trimEnd());
  const all = [...kept, section.trimEnd()].toSorted();
  writeFileSync(page, `${[intro.trimEnd(), ...all].join('\n\n')}\n`);
}

/** A Markdown table. Numbers get as many digits as they can bear. */
export function table(columns: readonly string[], rows: readonly (readonly (string | number)[])[]): readonly string[] {
  const cell = (value: string | number) => (typeof value === 'string' ? value : figure(value));
  return [
    `| ${columns.join(' | ')} |`,
    `| --- |${columns
      .slice(1)
      .map(() => ' ---: |')
      .join('')}`,
    ...rows.map((row) => `| ${row.map(cell).join(' | ')} |`),
  ];
}

function figure(value: number): string {
  if (!Number.isFinite(value)) return '-';
  if (value >= 100) return Math.round(value).toLocaleString('en');
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
