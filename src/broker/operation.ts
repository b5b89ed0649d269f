import type { Hop } from '../cci/index.ts';

/** What somebody started and what runs on without him. */
export interface Work {
  /** Id of the request that started it. */
  readonly id: string;
  readonly tenant: string;
  readonly principal: string;
  readonly command: string;
  readonly opcode: number;
  /** Milliseconds since 1970. */
  readonly startedAtMs: number;
  /** The component that does it, where that is behind a tunnel. */
  readonly hops?: readonly Hop[];
  /** It ends when a host lets go of something, which may be never. */
  readonly waitsForHost?: true;
}

/** Background work that somebody started through the broker (R17): it has an owner. */
export interface Operation extends Work {
  /**
   * - `running`: also while the switch is away; it is asked again when it is back
   * - `done`: `returnCode` says how it ended
   * - `unknown`: nobody can say how it ended, or whether it began
   */
  state: 'running' | 'done' | 'unknown';
  percent: number;
  returnCode?: number;
  endedAtMs?: number;
  /** It has waited for its host longer than the configuration allows for. Nothing is done about that by itself. */
  overdue?: true;
}

/** Reads what a state file says of an operation; undefined where it is not one. */
export function readOperation(value: unknown): Operation | undefined {
  if (!isObject(value)) return undefined;
  const { id, tenant, principal, command, opcode, startedAtMs, state, percent } = value;
  const { returnCode, endedAtMs, waitsForHost, overdue, hops } = value;
  if (!isText(id) || !isText(tenant) || !isText(principal) || !isText(command)) return undefined;
  if (!isCount(opcode) || !isCount(startedAtMs) || !isCount(percent)) return undefined;
  if (state !== 'running' && state !== 'done' && state !== 'unknown') return undefined;
  if (returnCode !== undefined && !isCount(returnCode)) return undefined;
  if (endedAtMs !== undefined && !isCount(endedAtMs)) return undefined;
  if (hops !== undefined && !isHops(hops)) return undefined;
  return {
    id,
    tenant,
    principal,
    command,
    opcode,
    startedAtMs,
    state,
    percent,
    ...(hops === undefined ? {} : { hops }),
    ...(returnCode === undefined ? {} : { returnCode }),
    ...(endedAtMs === undefined ? {} : { endedAtMs }),
    ...(waitsForHost === true ? { waitsForHost } : {}),
    ...(overdue === true ? { overdue } : {}),
  };
}

function isObject(value: unknown): value is { readonly [name: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}

function isHops(value: unknown): value is readonly Hop[] {
  return (
    Array.isArray(value) &&
    value.length <= 2 &&
    value.every(
      (hop: unknown) =>
        isObject(hop) &&
        ((hop.kind === 'port' && isCount(hop.port)) || (hop.kind === 'ld' && isCount(hop.ld)) || hop.kind === 'ldpool'),
    )
  );
}
