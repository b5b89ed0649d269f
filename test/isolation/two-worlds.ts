import type { CommandAnswer, CoreResult } from '../../src/broker/core-api.ts';
import { CEL_UUID, toHex } from '../../src/cci/index.ts';
import { mayReach } from '../support/oracle.ts';
import { type Attempt, makeAttempt } from './commands.ts';
import { Dice } from './seeded.ts';
import { type Options, openSession, type Session } from './session.ts';
import { ownerOfPlace, type World, type WorldPort, type WorldVcs } from './world.ts';

/**
 * Another world that this tenant cannot tell from the given one: everything that is not his is different, everything
 * that is his is the same.
 */
export function otherWorld(world: World, tenant: string, seed: number): World {
  const dice = new Dice(seed);
  const others = world.tenants.filter((name) => name !== tenant);
  const anybody = (): string | undefined => (dice.chance(0.3) ? undefined : dice.pick(others));
  const used = new Set(world.vcss.map(({ usp }) => usp));
  const kept = withHisBindings(world, tenant);
  const needed = new Set(kept.flatMap(({ bindings }) => bindings.map(({ port }) => port)));
  const ports = world.ports.flatMap((port) => {
    if (isHis(port, tenant) || needed.has(port.id)) return [otherParts(dice, port, tenant, anybody)];
    const gone = !used.has(port.id) && port.id !== world.ports[0]?.id && dice.chance(0.2);
    return gone ? [] : [otherPort(dice, port, anybody)];
  });
  const vcss = kept.map((vcs): WorldVcs => {
    if (vcs.owner === tenant) return vcs;
    const free = freePlaces(ports, kept, tenant);
    const bindings = [...vcs.bindings];
    const size = Math.max(vcs.vppbs, ...bindings.map(({ vppb }) => vppb + 1));
    for (let vppb = 0; vppb < size; vppb++) {
      if (bindings.some((binding) => binding.vppb === vppb) || free.length === 0 || dice.chance(0.4)) continue;
      const place = dice.pick(free);
      free.splice(free.indexOf(place), 1);
      bindings.push({ vppb, ...place });
    }
    const owner = anybody();
    const { owner: _, ...rest } = vcs;
    const made = { ...rest, bindings, ...(owner === undefined || vcs.listedVppbs === undefined ? {} : { owner }) };
    kept[kept.findIndex(({ id }) => id === vcs.id)] = made;
    return made;
  });
  return { ...world, ports, vcss };
}

/** VCSs with those bindings alone that concern the tenant: of his VCS, or of a port or LD of his. */
function withHisBindings(world: World, tenant: string): WorldVcs[] {
  return world.vcss.map((vcs) =>
    vcs.owner === tenant
      ? vcs
      : {
          ...vcs,
          bindings: vcs.bindings.filter(({ port, ld }) => {
            const place = ld === undefined ? `${port}` : `${port}.${ld}`;
            return ownerOfPlace(world.ports, place) === tenant;
          }),
        },
  );
}

function isHis(port: WorldPort, tenant: string): boolean {
  return port.owner === tenant || port.ldOwners.includes(tenant);
}

/** A port that he has a part in: only what the others have there changes. */
function otherParts(dice: Dice, port: WorldPort, tenant: string, anybody: () => string | undefined): WorldPort {
  if (port.owner === tenant || !isHis(port, tenant)) return port;
  const ldOwners = port.ldOwners.map((owner) => (owner === tenant ? owner : anybody()));
  if (port.device === undefined) return { ...port, ldOwners };
  const sizes = port.device.sizes.map((size, ld) => (port.ldOwners[ld] === tenant ? size : dice.int(1, 4)));
  return { ...port, ldOwners, device: { ...port.device, sizes } };
}

/** A port that he has no part in: another device, another owner. */
function otherPort(dice: Dice, port: WorldPort, anybody: () => string | undefined): WorldPort {
  const { owner: _, device: __, ...rest } = port;
  const owner = port.listedLds === undefined ? undefined : anybody();
  const mine = { ...rest, ldOwners: [], ...(owner === undefined ? {} : { owner }) };
  if (port.role === 'usp' || dice.chance(0.2)) return mine;
  const lds = dice.chance(0.5) ? dice.int(1, 8) : 0;
  const sizes = Array.from({ length: lds }, () => dice.int(1, 4));
  const device = {
    kind: lds > 0 ? ('mld' as const) : ('sld' as const),
    serial: 0x77_0000_0000 + port.id * 0x1_0001 + dice.int(0, 99),
    lds,
    sizes,
    dynamic: false,
  };
  return { ...mine, device, ...(port.listedLds === undefined ? {} : { listedLds: lds }) };
}

function freePlaces(ports: readonly WorldPort[], vcss: readonly WorldVcs[], tenant: string) {
  const taken = new Set(vcss.flatMap(({ bindings }) => bindings.map(({ port, ld }) => `${port}.${ld ?? ''}`)));
  const free: { readonly port: number; readonly ld?: number }[] = [];
  for (const { id, role, device, owner } of ports) {
    if (role !== 'dsp') continue;
    if (device?.kind === 'mld') {
      for (let ld = 0; ld < device.lds; ld++) {
        const his = ownerOfPlace(ports, `${id}.${ld}`) === tenant;
        if (!his && !taken.has(`${id}.${ld}`)) free.push({ port: id, ld });
      }
    } else if (owner !== tenant && !taken.has(`${id}.`)) free.push({ port: id });
  }
  return free;
}

/** Commands whose success rests on what is left of a shared device: the signal "resources exhausted". */
const EXHAUSTIBLE = /540[27]|set-ld-allocations|set-qos-allocated-bw|005[0-9a-f]*0[27]54/;
/** Time is the broker's own. */
const TIME = new Set([0x0300]);

/** An add by a tag that another tenant may have by now: the signal "tag taken". */
function namesOthersTag(world: World, tenant: string, { label, outer }: Attempt): boolean {
  const texts = [label, toHex(outer?.payload ?? new Uint8Array(0))];
  const others = world.tenants.filter((name) => name !== tenant).map((name) => toHex(new TextEncoder().encode(name)));
  return others.some((name) => texts.some((text) => text.includes(name)));
}

export interface Difference {
  readonly attempt: string;
  readonly here: string;
  readonly there: string;
}

/**
 * Runs one tenant's commands in two worlds that differ in what is not his, the other tenants busy in the second world
 * alone between his commands, and compares every answer to the byte.
 */
export async function compareWorlds(
  world: World,
  tenant: string,
  seed: number,
  commands: number,
  options: Options,
): Promise<{ readonly differences: readonly Difference[]; readonly answered: number; readonly compared: number }> {
  const still = { ...options, clock: () => 1000 };
  await using here = await openSession(world, 1, still);
  await using there = await openSession(otherWorld(world, tenant, seed), 1, still);
  const dice = new Dice(seed ^ 0x5a5a);
  const others = world.tenants.filter((name) => name !== tenant);
  const differences: Difference[] = [];
  let answered = 0;
  let compared = 0;
  for (let turn = 0; turn < commands; turn++) {
    const attempt = makeAttempt(dice, world, tenant);
    if (EXHAUSTIBLE.test(attempt.label) || TIME.has(attempt.outer?.opcode ?? 0)) continue;
    if (namesOthersTag(world, tenant, attempt)) continue;
    await stir(there, dice, others);
    const answers = [await look(here, tenant, attempt), await look(there, tenant, attempt)] as const;
    compared++;
    if (answers[0].ok) answered++;
    if (answers[0].text !== answers[1].text) {
      // The lines that differ: the rest of an answer says nothing about why.
      const [here, there] = answers.map(({ text }) => text.split('\n'));
      const only = (mine: readonly string[] = [], other: readonly string[] = []): string =>
        mine.filter((line, i) => line !== other[i]).join('\n');
      differences.push({ attempt: attempt.label, here: only(here, there), there: only(there, here) });
    }
  }
  return { differences, answered, compared };
}

/** Another tenant does something that he may: nothing of it concerns the one who is watched. */
async function stir(session: Session, dice: Dice, others: readonly string[]): Promise<void> {
  const other = dice.pick(others);
  const attempt = makeAttempt(dice, session.world, other);
  const { outer } = attempt;
  if (outer === undefined || !mayReach(other, outer.opcode, outer.payload, session.own, session.ground()).may) return;
  await session.run(other, attempt);
}

async function look(
  session: Session,
  tenant: string,
  attempt: Attempt,
): Promise<{ readonly ok: boolean; readonly text: string }> {
  const caller = await session.credential(tenant);
  const can = await session.broker.core.decide(caller, 'sw0', attempt.request);
  const answer = await session.run(tenant, attempt);
  const views = [
    await session.broker.core.whoami(caller),
    await session.broker.core.switches(caller),
    await session.broker.core.commands(caller, 'sw0'),
    await session.broker.core.topology(caller, 'sw0'),
    await session.broker.core.posture(caller),
    // His own background work, what he may run, and his own logs.
    await session.broker.submit(caller, { kind: 'named', command: 'background-operation-status' }),
    await session.broker.submit(caller, { kind: 'named', command: 'get-supported-logs' }),
    await session.broker.submit(caller, {
      kind: 'named',
      command: 'get-log',
      params: { log_identifier: CEL_UUID, offset: 0, length: 64 },
    }),
  ];
  const operations = await session.broker.core.operations(caller, 'sw0');
  const parts = [can, answer, ...views].map((part) => plain(part));
  // Of his own background work and taints, everything but when and under which id.
  const own = [plain(operations, ...WHEN), plain(await session.broker.core.taint(caller), ...WHEN)];
  return { ok: answer.ok, text: [...parts, ...own].join('\n') };
}

const WHEN = ['id', 'startedAtMs', 'endedAtMs', 'atMs', 'record'];

/** An answer as text, without what names the request or the moment. */
export function plain(answer: CoreResult<unknown> | CoreResult<CommandAnswer>, ...without: readonly string[]): string {
  const left = new Set(['requestId', 'snapshot', 'operation', 'retryAfterMs', 'expiresAtMs', ...without]);
  return JSON.stringify(answer, (key, value: unknown) => {
    if (left.has(key)) return undefined;
    if (value instanceof Uint8Array) return toHex(value);
    return typeof value === 'bigint' ? value.toString() : value;
  });
}
