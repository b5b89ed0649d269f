import type { Paint } from './paint.ts';
import { safe } from './safe-text.ts';

export interface Column<Row> {
  readonly title: string;
  readonly cell: (row: Row) => string | number | boolean | undefined;
  readonly align?: 'right';
  readonly paint?: (row: Row, text: string) => string;
}

/** Aligned columns with a heading; nothing behind the last one. Every cell is made safe to print. */
export function table<Row>(columns: readonly Column<Row>[], rows: readonly Row[], paint: Paint): string {
  const cells = rows.map((row) => columns.map((column) => cellText(column.cell(row))));
  const widths = columns.map((column, i) =>
    cells.reduce((widest, line) => Math.max(widest, line[i]?.length ?? 0), column.title.length),
  );
  const line = (texts: readonly string[], decorate: (text: string, i: number) => string): string =>
    texts
      .map((text, i) => {
        const gap = ' '.repeat(Math.max(0, (widths[i] ?? 0) - text.length));
        const right = columns[i]?.align === 'right';
        const last = i === texts.length - 1;
        return right ? gap + decorate(text, i) : decorate(text, i) + (last ? '' : gap);
      })
      .join('  ')
      .trimEnd();
  const head = line(
    columns.map((column) => column.title),
    (text) => paint.bold(text),
  );
  const body = rows.map((row, r) => line(cells[r] ?? [], (text, i) => columns[i]?.paint?.(row, text) ?? text));
  return `${[head, ...body].join('\n')}\n`;
}

function cellText(value: string | number | boolean | undefined): string {
  if (value === undefined || value === '') return '-';
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  return safe(String(value));
}

/** Two columns without a heading: what it is, and its value. */
export function facts(
  rows: readonly (readonly [name: string, value: string | number | boolean | undefined])[],
  paint: Paint,
): string {
  const width = Math.max(0, ...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${paint.bold(name.padEnd(width))}  ${cellText(value)}\n`).join('');
}
