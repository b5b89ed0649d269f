import { toHex } from '../../src/cci/index.ts';
import { isOwnRead, ldOwner, portOwner, vcsOwner, walk } from '../support/oracle.ts';
import { type Attempt, message, type Place, spell, typed } from './commands.ts';
import { Dice } from './seeded.ts';
import type { Session } from './session.ts';
import { plain } from './two-worlds.ts';

/** One command with a gap for an id. */
interface Template {
  readonly name: string;
  readonly make: (id: number) => {
    readonly place: Place;
    readonly opcode: number;
    readonly payload: readonly number[];
  };
  /** The reply repeats the id that was asked for at this offset. */
  readonly echo?: number;
}

/** A pair of ids that must look the same to a tenant. */
interface Pair {
  readonly foreign: number;
  readonly absent: number;
  readonly templates: readonly Template[];
}

const SWITCH: Place = { kind: 'switch' };
const CEL = [0x0d, 0xa9, 0xc0, 0xb5, 0xbf, 0x41, 0x4b, 0x78, 0x8f, 0x79, 0x96, 0xb1, 0x62, 0x3b, 0x3f, 0x17];

/** A difference between an id of somebody else and one that does not exist, or something of either on the wire. */
export interface Tell {
  readonly tenant: string;
  readonly what: string;
}

/** Tries every command that names an id, with a foreign one and with one that does not exist. */
export async function probeForeign(
  session: Session,
  tenant: string,
  dice: Dice,
  most: number,
): Promise<{ readonly tells: readonly Tell[]; readonly tried: number }> {
  const tells: Tell[] = [];
  const tries = pairsOf(session, tenant, dice).flatMap((pair) =>
    pair.templates.map((template) => ({ pair, template })),
  );
  let tried = 0;
  for (const { pair, template } of dice.shuffle(tries).slice(0, most)) {
    const roll = dice.int(0, 0x7fff_ffff);
    const seen: string[] = [];
    const labels: string[] = [];
    for (const id of [pair.foreign, pair.absent]) {
      const attempt = attemptOf(template, id, roll);
      const { text, reached } = await ask(session, tenant, attempt, template.echo, id);
      seen.push(text);
      labels.push(attempt.label);
      for (const hex of reached)
        tells.push({ tenant, what: `${template.name} ${attempt.label}: ${hex} reached the device` });
    }
    tried++;
    if (seen[0] !== seen[1]) {
      tells.push({ tenant, what: `${template.name}: ${labels.join(' and ')} differ: ${seen.join(' and ')}` });
    }
  }
  return { tells, tried };
}

function attemptOf(template: Template, id: number, roll: number): Attempt {
  const { place, opcode, payload } = template.make(id);
  const bytes = Uint8Array.from(payload);
  if (roll % 3 === 0) return typed(place, opcode, bytes);
  if (roll % 3 === 1 && place.kind === 'switch') return message(opcode, bytes);
  // Both ids in the same spelling: the dice are loaded.
  return spell(new Dice(roll), place, opcode, bytes, false);
}

async function ask(session: Session, tenant: string, attempt: Attempt, echo: number | undefined, id: number) {
  const caller = await session.credential(tenant);
  const before = session.breaches.length;
  const can = await session.broker.core.decide(caller, 'sw0', attempt.request);
  const result = await session.run(tenant, attempt, caller);
  // Reach and replies are judged elsewhere; here only the difference counts.
  session.breaches.length = before;
  const asked = attempt.outer === undefined ? undefined : walk(attempt.outer.opcode, attempt.outer.payload);
  const reached = session.broker.requests
    .filter(
      ({ opcode, payload }) => asked === undefined || !isOwnRead(tenant, asked, walk(opcode, payload), session.own),
    )
    .map(({ opcode, payload }) => `${opcode.toString(16)}h ${toHex(payload)}`);
  if (result.ok && echo !== undefined) {
    const payload = result.value.payload.slice();
    if (payload[echo] === id) payload[echo] = 0;
    return { text: `${result.value.returnCode} ${toHex(payload)}`, reached };
  }
  // What he asked for may be said back to him.
  return { text: `${echo === undefined ? plain(can, 'asked') : ''} ${plain(result)}`, reached };
}

function pairsOf(session: Session, tenant: string, dice: Dice): readonly Pair[] {
  const { world, own } = session;
  const pairs: Pair[] = [];
  const ports = new Set([...world.ports.map(({ id }) => id), ...own.ports.keys()]);
  const vcss = new Set([...world.vcss.map(({ id }) => id), ...own.vcss.keys()]);
  const absentPort = absentFrom(dice, ports);
  const absentVcs = absentFrom(dice, vcss);
  const vcs = [...own.vcss.keys()].find((id) => vcsOwner(own, id) === tenant) ?? absentVcs;
  for (const { id, device } of world.ports) {
    const lds = Math.max(device?.lds ?? 0, own.ports.get(id) ?? 0);
    const owners = Array.from({ length: lds }, (_, ld) => ldOwner(own, id, ld));
    const isHis = portOwner(own, id) === tenant || owners.includes(tenant);
    if (!isHis) pairs.push({ foreign: id, absent: absentPort, templates: portTemplates(vcs) });
    const strange = owners.flatMap((owner, ld) => (owner === tenant ? [] : [ld]));
    if (owners.includes(tenant) && strange.length > 0 && device?.kind === 'mld') {
      pairs.push({
        foreign: dice.pick(strange),
        absent: dice.pick([lds, lds + 1, 200]),
        templates: ldTemplates(vcs, id),
      });
    }
  }
  for (const { id } of world.vcss) {
    if (vcsOwner(own, id) !== tenant) pairs.push({ foreign: id, absent: absentVcs, templates: vcsTemplates });
  }
  return pairs;
}

function absentFrom(dice: Dice, ids: ReadonlySet<number>): number {
  return dice.pick(Array.from({ length: 256 }, (_, id) => id).filter((id) => !ids.has(id)));
}

const word = (value: number) => [value & 0xff, value >> 8];

function portTemplates(vcs: number): readonly Template[] {
  const onSwitch = (name: string, opcode: number, payload: (id: number) => readonly number[]): Template => ({
    name,
    make: (id) => ({ place: SWITCH, opcode, payload: payload(id) }),
  });
  const below = (opcode: number, payload: readonly number[] = []): readonly Template[] => [
    {
      name: `${opcode.toString(16)}h below a port`,
      make: (port) => ({ place: { kind: 'port', port }, opcode, payload }),
    },
    {
      name: `${opcode.toString(16)}h below an LD`,
      make: (port) => ({ place: { kind: 'ld', port, ld: 0 }, opcode, payload }),
    },
    {
      name: `${opcode.toString(16)}h below a pool`,
      make: (port) => ({ place: { kind: 'pool', port }, opcode, payload }),
    },
  ];
  return [
    onSwitch('port state', 0x5101, (id) => [1, id]),
    onSwitch('port control', 0x5102, (id) => [id, 2]),
    onSwitch('port configuration', 0x5103, (id) => [id, 0, 0xf0, 0, 0, 0, 0, 0]),
    onSwitch('bind a port', 0x5201, (id) => [vcs, 0, id, 0, 0xff, 0xff]),
    onSwitch('bind an LD', 0x5201, (id) => [vcs, 0, id, 0, 0, 0]),
    onSwitch('LD configuration', 0x5301, (id) => [id, 0, 0xf0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    onSwitch('LD memory', 0x5302, (id) => [id, 0, 0xf0, 0x0f, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    ...below(0x0001),
    ...below(0x0400),
    ...below(0x0401, [...CEL, 0, 0, 0, 0, 64, 0, 0, 0]),
    ...below(0x4000),
    ...below(0x4400),
    ...below(0x5400),
    ...below(0x5404, [0, 1, 2, 0, 0, 0, 0]),
    ...below(0x5500, [0, 4]),
    ...below(0xc001),
  ];
}

function ldTemplates(vcs: number, port: number): readonly Template[] {
  const here: Place = { kind: 'port', port };
  const onSwitch = (name: string, opcode: number, payload: (id: number) => readonly number[]): Template => ({
    name,
    make: (id) => ({ place: SWITCH, opcode, payload: payload(id) }),
  });
  const onDevice = (opcode: number, payload: (id: number) => readonly number[], echo?: number): Template => ({
    name: `${opcode.toString(16)}h of an LD`,
    make: (id) => ({ place: here, opcode, payload: payload(id) }),
    ...(echo === undefined ? {} : { echo }),
  });
  const below = (opcode: number, payload: readonly number[] = []): Template => ({
    name: `${opcode.toString(16)}h below an LD`,
    make: (ld) => ({ place: { kind: 'ld', port, ld }, opcode, payload }),
  });
  return [
    onSwitch('bind an LD', 0x5201, (id) => [vcs, 0, port, 0, ...word(id)]),
    onSwitch('LD configuration', 0x5301, (id) => [port, 0, 0xf0, 0, ...word(id), 0, 0, 0, 0, 0, 0]),
    onSwitch('LD memory', 0x5302, (id) => [port, 0, 0xf0, 0x0f, ...word(id), 4, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    onDevice(0x5401, (id) => [id, 1], 2),
    onDevice(0x5406, (id) => [1, id], 1),
    onDevice(0x5408, (id) => [1, id], 1),
    onDevice(0x5402, (id) => [1, id, 0, 0, 1, ...new Array<number>(15).fill(0)]),
    onDevice(0x5407, (id) => [1, id, 1]),
    onDevice(0x5409, (id) => [1, id, 1]),
    below(0x0001),
    below(0x0400),
    below(0x4000),
    below(0x4100),
    below(0x4400),
    below(0xc001),
  ];
}

const vcsTemplates: readonly Template[] = [
  { name: 'VCS info', make: (id) => ({ place: SWITCH, opcode: 0x5200, payload: [0, 255, 1, id] }) },
  { name: 'secret state', make: (id) => ({ place: SWITCH, opcode: 0x5106, payload: [id] }) },
  { name: 'secret', make: (id) => ({ place: SWITCH, opcode: 0x5107, payload: [id] }) },
  { name: 'bind', make: (id) => ({ place: SWITCH, opcode: 0x5201, payload: [id, 0, 0, 0, 0xff, 0xff] }) },
  { name: 'unbind', make: (id) => ({ place: SWITCH, opcode: 0x5202, payload: [id, 0, 2] }) },
  {
    name: 'AER',
    make: (id) => ({ place: SWITCH, opcode: 0x5203, payload: [id, 0, ...new Array<number>(38).fill(0)] }),
  },
];
