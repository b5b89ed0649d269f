import { FABRIC_TENANT, type Fabric, type Principal } from '../policy/index.ts';
import { isAcknowledged, PostureError, type TaintEntry, type TaintLetter } from '../taint/index.ts';
import type { TopologyAnswer } from './core-api.ts';
import { isOfOthers, ownsLdOf, ownsVcs, type Pseudonyms, seesPort } from './filter/index.ts';
import type { Journal } from './journal/index.ts';
import type { Request, SwitchRuntime } from './pipeline/index.ts';
import { type Difference, pictureId, subjectOf } from './topology-picture.ts';

/** Why an operator's act was refused. */
export interface RefusedAct {
  readonly refused: 'EBUSY' | 'EIO' | 'ENOENT' | 'EPARAM';
  readonly detail: string;
}

type Bound = TopologyAnswer['vcss'][number]['vppbs'][number];

/** The picture of one switch as a caller may see it: all of it for operators, his own part for a tenant. */
export function topologyAnswer(runtime: SwitchRuntime, principal: Principal, fabric: Fabric): TopologyAnswer {
  const { topology, name } = runtime;
  const picture = topology.watcher?.picture;
  const moved = topology.watcher?.differences ?? [];
  const all = principal.tenant === FABRIC_TENANT;
  const view = { tenant: principal.tenant, switch: name, fabric, hops: [], mayRun: () => false };
  const sees = (port: number): boolean => all || seesPort(view, port);
  const bound = (binding: { kind: string; port?: number; ld?: number }): Bound => {
    const { kind, port, ld } = binding;
    if (port === undefined || sees(port)) return binding as Bound;
    return ld !== undefined && ownsLdOf(view, port, ld)
      ? (binding as Bound)
      : { kind: kind === 'unknown' ? kind : 'unbound' };
  };
  const serials = all ? serialsShown(runtime, fabric) : undefined;
  return {
    switch: name,
    known: topology.known,
    accepted: moved.every((difference) => !isShown(difference, all, sees, view)),
    ...(all && picture !== undefined ? { picture: pictureId(picture) } : {}),
    ports: [...topology.ports.values()]
      .filter(({ id }) => sees(id))
      .map(({ id, role, device, ldCount }) => {
        const serial = serials?.(id, picture?.ports.find((port) => port.id === id)?.serial);
        return { id, role, device, lds: ldCount, ...(serial === undefined ? {} : { serial }) };
      }),
    vcss: [...topology.vcss.values()]
      .filter(({ id }) => all || ownsVcs(view, id))
      .map(({ id, usp, vppbs }) => ({ id, usp, vppbs: vppbs.map(bound) })),
    differences: moved
      .filter((difference) => isShown(difference, all, sees, view))
      .map((difference) => ({
        what: subjectOf(difference),
        before: difference.before,
        after: difference.after,
        atMs: difference.atMs,
      })),
  };
}

/** A tenant is told what moved at a port of his; what was bound where may speak of others. */
function isShown(
  difference: Difference,
  all: boolean,
  sees: (port: number) => boolean,
  view: Parameters<typeof seesPort>[0],
): boolean {
  if (all) return true;
  const { kind, port, from, to, vcs } = difference;
  if (kind === 'identity') return false;
  if (port !== undefined) return sees(port);
  if (vcs === undefined || !ownsVcs(view, vcs)) return false;
  return [from, to].every((binding) => {
    if (binding === undefined || !('port' in binding)) return true;
    return sees(binding.port) || (binding.kind === 'ld' && ownsLdOf(view, binding.port, binding.ld));
  });
}

/** Row L7 holds here as well. */
function serialsShown({ posture, pseudonyms, name }: SwitchRuntime, fabric: Fabric) {
  const isHidden = posture.posture().lockdown.effective === 'confidentiality';
  return (port: number, serial: string | undefined): string | undefined => {
    return serial !== undefined && isHidden && isOfOthers(fabric, name, port) ? hidden(pseudonyms, serial) : serial;
  };
}

function hidden(pseudonyms: Pseudonyms, serial: string): string {
  return pseudonyms
    .serial(BigInt(`0x${serial}`))
    .toString(16)
    .padStart(16, '0');
}

export interface Acceptance {
  readonly reason: string;
  /** What the operator has looked at; the picture must still be that one. */
  readonly picture: string | undefined;
}

/** An operator takes the fabric as it is: the picture becomes the expected one, and every X so far is acknowledged. */
export async function acceptTopology(
  runtime: SwitchRuntime,
  journal: Journal,
  principal: Principal,
  request: Request,
  { reason, picture }: Acceptance,
): Promise<RefusedAct | undefined> {
  const { topology, posture, name } = runtime;
  const read = await topology.refresh();
  const watcher = topology.watcher;
  if (!read.ok || watcher?.picture === undefined) {
    return { refused: 'EIO', detail: 'the fabric cannot be read now, so there is nothing to accept' };
  }
  const seen = pictureId(watcher.picture);
  const moved = watcher.differences.length + watcher.lostDifferences;
  if (picture !== undefined && picture !== seen) return changed;
  // On record before it is lifted: nothing is loosened that the journal does not know.
  await journal.append(
    'topology',
    {
      switch: name,
      requestId: request.id,
      change: 'accepted',
      by: principal.name,
      details: {
        reason,
        picture: seen,
        source: request.source,
        tokenId: principal.tokenId,
        differences: watcher.differences.map(({ before, after, ...difference }) => ({
          what: subjectOf({ before, after, ...difference }),
          before,
          after,
        })),
      },
    },
    { durable: true },
  );
  const movedNow = watcher.differences.length + watcher.lostDifferences;
  if (pictureId(watcher.picture) !== seen || movedNow !== moved) return changed;
  const { taint } = posture.posture();
  const open = taint.entries.filter((entry) => entry.letter === 'X' && !isAcknowledged(entry, taint));
  const scopes = [...new Set(open.map(({ scope }) => scope))];
  // INVARIANT: no turn between the last look and the acknowledgements, or they would cover what nobody has seen.
  const given = scopes.map((scope) => posture.acknowledge('X', scope, principal.name, reason));
  const written = watcher.accept();
  try {
    await Promise.all([...given, written]);
  } catch {
    return {
      refused: 'EIO',
      detail: 'accepted, but that could not be written down: it is in force until the broker ends',
    };
  }
  return undefined;
}

const changed: RefusedAct = {
  refused: 'EBUSY',
  detail: 'the fabric has changed since you looked at it: look again with `cci topology show`',
};

const raisedAgain: RefusedAct = {
  refused: 'EBUSY',
  detail: 'the bit was raised again since you looked at it: look again with `cci taint`',
};

/** An operator has looked at a bit: rules and alarms of what was raised so far are lifted, the bit stays. */
export async function acknowledgeTaint(
  runtime: SwitchRuntime,
  journal: Journal,
  principal: Principal,
  request: Request,
  { letter, scope, reason }: { readonly letter: TaintLetter; readonly scope: string; readonly reason: string },
): Promise<RefusedAct | undefined> {
  const { posture, name } = runtime;
  const raisedNow = (): readonly TaintEntry[] =>
    posture.posture().taint.entries.filter((entry) => entry.letter === letter && entry.scope === scope);
  const raised = raisedNow();
  if (raised.length === 0) return { refused: 'ENOENT', detail: `taint ${letter} was never raised on that path` };
  await journal.append(
    'posture',
    {
      switch: name,
      requestId: request.id,
      change: 'acknowledgement',
      by: principal.name,
      letter,
      scope,
      reason,
      details: {
        source: request.source,
        tokenId: principal.tokenId,
        records: [...new Set(raised.map(({ record }) => record))],
      },
    },
    { durable: true },
  );
  // Nothing is lifted that the record does not name.
  if (raisedNow().at(-1)?.ordinal !== raised.at(-1)?.ordinal) return raisedAgain;
  try {
    await posture.acknowledge(letter, scope, principal.name, reason);
  } catch (error) {
    if (!(error instanceof PostureError)) throw error;
    return {
      refused: error.code === 'EIO' ? 'EIO' : error.code === 'ENOENT' ? 'ENOENT' : 'EPARAM',
      detail: error.message,
    };
  }
  return undefined;
}
