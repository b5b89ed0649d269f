import type { Confinement } from '../../sandbox/index.ts';
import type { EdgeAddresses } from './open-edge.ts';

/** What an edge says to the core when it listens, or cannot. */
export type EdgeSaid =
  | { readonly ok: true; readonly addresses: EdgeAddresses; readonly confinement: Confinement }
  | { readonly ok: false; readonly door?: 'http' | 'mctp'; readonly where?: string; readonly why: string };

/** Is it that? It comes from a process that may be anybody's by now. */
export function isEdgeSaid(value: unknown): value is EdgeSaid {
  if (typeof value !== 'object' || value === null || !('ok' in value)) return false;
  if (value.ok === false) return 'why' in value && typeof value.why === 'string';
  if (value.ok !== true || !('addresses' in value) || !('confinement' in value)) return false;
  const { addresses, confinement } = value as { readonly addresses: unknown; readonly confinement: unknown };
  return isAddresses(addresses) && isConfinement(confinement);
}

function isAddresses(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || !('http' in value) || !('listeners' in value)) return false;
  const { http, listeners } = value;
  if (!isAddress(http) || !Array.isArray(listeners) || !listeners.every(isAddress)) return false;
  const { url, health } = http as { readonly url?: unknown; readonly health?: unknown };
  return typeof url === 'string' && url.length < 200 && (health === undefined || isAddress(health));
}

function isAddress(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || !('host' in value) || !('port' in value)) return false;
  const { host, port } = value;
  return typeof host === 'string' && host.length < 100 && Number.isInteger(port);
}

function isConfinement(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || !('absent' in value)) return false;
  const { absent } = value;
  return Array.isArray(absent) && absent.length < 20 && absent.every((one) => typeof one === 'string');
}
