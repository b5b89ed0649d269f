import { safe } from './safe-text.ts';

/** A JSON value as indented lines for people: members in order, short lists in one line. */
export function tree(value: unknown, indent = ''): string {
  if (Array.isArray(value)) return listLines(value, indent);
  if (typeof value === 'object' && value !== null) return memberLines(value, indent);
  return `${indent}${scalar(value)}\n`;
}

function memberLines(value: object, indent: string): string {
  const members = Object.entries(value);
  const width = Math.max(0, ...members.filter(([, part]) => isShort(part)).map(([name]) => safe(name).length));
  return members
    .map(([name, part]) =>
      isShort(part)
        ? `${indent}${safe(name).padEnd(width)}  ${short(part)}\n`
        : `${indent}${safe(name)}\n${tree(part, `${indent}  `)}`,
    )
    .join('');
}

function listLines(value: readonly unknown[], indent: string): string {
  if (isShort(value)) return `${indent}${short(value)}\n`;
  return value.map((part) => `${indent}- ${tree(part, `${indent}  `).slice(indent.length + 2)}`).join('');
}

function isScalar(value: unknown): boolean {
  return typeof value !== 'object' || value === null;
}

function isShort(value: unknown): boolean {
  if (Array.isArray(value)) return value.every(isScalar);
  if (typeof value !== 'object' || value === null) return true;
  const parts = Object.values(value);
  return parts.length === 0;
}

function short(value: unknown): string {
  if (!Array.isArray(value)) return typeof value === 'object' && value !== null ? '-' : scalar(value);
  return value.length === 0 ? '-' : value.map(scalar).join(', ');
}

function scalar(value: unknown): string {
  if (value === null || value === undefined || value === '') return '-';
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  return safe(String(value));
}
