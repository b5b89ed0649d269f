import type { Report } from './engine/supervise.ts';

/** What a run came to, as a table of Markdown. */
export function tableOf(reports: readonly Report[]): string {
  const rows = reports.map((report) => [
    report.target,
    report.executions.toLocaleString('en'),
    Math.round((report.executions / Math.max(1, report.elapsedMs)) * 1000).toLocaleString('en'),
    `${report.covered} / ${report.blocks}`,
    String(report.inputs.length),
    String(report.findings.length),
  ]);
  const all = (column: (report: Report) => number): string =>
    reports.reduce((sum, report) => sum + column(report), 0).toLocaleString('en');
  rows.push([
    `${reports.length} targets`,
    all(({ executions }) => executions),
    '',
    '',
    all(({ inputs }) => inputs.length),
    all(({ findings }) => findings.length),
  ]);
  const head = ['target', 'executions', 'per second', 'blocks', 'new inputs', 'findings'];
  const widths = head.map((title, at) => Math.max(title.length, ...rows.map((row) => row[at]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))).join(' | ')} |`;
  const rule = `| ${widths.map((width, at) => (at === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`;
  return [line(head), rule, ...rows.map(line)].join('\n');
}
