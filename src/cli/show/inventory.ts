import { DeviceError } from '../../client/index.ts';
import type { Session } from '../connection.ts';

/** A decoded reply, of which a server is not believed that it has any member. */
export type Members = { readonly [name: string]: unknown };

/** Runs a read and gives its result. @throws CciError */
export async function read(session: Session, command: string, params: object, via?: string): Promise<Members> {
  const answer = await session.client.submit({ command, params, ...(via === undefined ? {} : { via }) });
  if (answer.returnCode !== 0) throw new DeviceError(answer);
  return members(answer.result);
}

export function members(value: unknown): Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
}

export function list(value: unknown): readonly Members[] {
  return Array.isArray(value) ? value.map(members) : [];
}

export function numbers(value: unknown): readonly number[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'number') : [];
}

export function number(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

export function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : undefined;
}

/** What the caller has on the switch: ids by kind, from the paths of his resources. */
export interface Owned {
  readonly ports: readonly number[];
  readonly vcss: readonly number[];
  /** LDs that are his although their port is not, by port. */
  readonly lds: ReadonlyMap<number, ReadonlySet<number>>;
}

export async function owned(session: Session): Promise<Owned> {
  const seen = await session.client.switches();
  const resources = seen.find((one) => one.name === session.switch)?.resources ?? [];
  const ids = (pattern: RegExp) => resources.flatMap((path) => numberIn(pattern, path, 1));
  const ports = ids(/^\/switches\/[^/]+\/ports\/(\d{1,3})$/);
  const lds = new Map<number, Set<number>>();
  for (const path of resources) {
    const [port] = numberIn(LD_PATH, path, 1);
    const [ld] = numberIn(LD_PATH, path, 2);
    if (port === undefined || ld === undefined || ports.includes(port)) continue;
    lds.set(port, (lds.get(port) ?? new Set()).add(ld));
  }
  return { ports, vcss: ids(/^\/switches\/[^/]+\/vcss\/(\d{1,3})$/), lds };
}

const LD_PATH = /^\/switches\/[^/]+\/ports\/(\d{1,3})\/lds\/(\d{1,3})$/;

function numberIn(pattern: RegExp, path: string, group: number): readonly number[] {
  const found = pattern.exec(path)?.[group];
  return found === undefined ? [] : [Number(found)];
}

/**
 * Ids worth asking for: those the switch counts, those it marks active, those the caller has. Filterable reads drop what
 * is not his before they are decided, so that asking for one too many costs nothing.
 */
export function candidates(count: unknown, active: unknown, own: readonly number[]): readonly number[] {
  const counted = Array.from({ length: Math.min(number(count) ?? 0, 255) }, (_, i) => i);
  const all = new Set([...counted, ...numbers(active), ...own].filter((id) => id >= 0 && id <= 254));
  return [...all].sort((a, b) => a - b);
}
