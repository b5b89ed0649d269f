import type { CommandAnswer, CoreResult, Credential } from '../../src/broker/core-api.ts';
import { type BrokerFixture, type BrokerParts, startBrokerFixture } from '../support/broker-fixture.ts';
import {
  disclosedBy,
  type Ground,
  isOwnRead,
  mayReach,
  type Ownership,
  openReply,
  readBindings,
  readOwnership,
  type Terminal,
  walk,
} from '../support/oracle.ts';
import type { Attempt } from './commands.ts';
import { fabricYaml, grantsCsv, topologyYaml, type World } from './world.ts';

/** A broken promise, with what is needed to see it again. */
export interface Breach {
  readonly property: 'reach' | 'reply';
  readonly tenant: string;
  readonly attempt: string;
  readonly what: string;
}

/** What a session saw besides breaches: a test that allowed nothing proves nothing. */
export interface Tally {
  commands: number;
  /** Answered by the device or from an empty list. */
  answered: number;
  /** Commands of tenants that reached the device. */
  reached: number;
  /** Of those, changes. */
  changed: number;
  refused: number;
  readonly codes: Map<string, number>;
  readonly opcodes: Map<string, number>;
}

export const newTally = (): Tally => ({
  commands: 0,
  answered: 0,
  reached: 0,
  changed: 0,
  refused: 0,
  codes: new Map(),
  opcodes: new Map(),
});

export type Options = Pick<BrokerParts, 'profile' | 'rawCommands' | 'rawAllowAll' | 'wrap' | 'clock' | 'timing'>;

/** Starts a broker over a made-up world with policies that grant whatever can be granted. */
export async function openSession(
  world: World,
  seed: number,
  options: Options = {},
  only?: Sabotage,
): Promise<Session> {
  const fabric = fabricYaml(world);
  const own = readOwnership(fabric);
  const session: { current: Session | undefined } = { current: undefined };
  const broker = await startBrokerFixture({
    fabric: only?.fabric ?? fabric,
    topology: topologyYaml(world),
    grants: new Map(world.tenants.map((tenant) => [tenant, grantsCsv(tenant, seed)])),
    ...options,
    onRequest: (request) => session.current?.watch(request.opcode, request.payload),
  });
  session.current = new Session(broker, world, own);
  return session.current;
}

/** For tests of the tests: what the broker believes instead of the truth that the oracle judges by. */
export interface Sabotage {
  readonly fabric: string;
}

interface Sent {
  readonly opcode: number;
  readonly payload: Uint8Array;
  readonly ground: Ground;
}

/** One broker, one world, and the oracle between the broker and the device. */
export class Session implements AsyncDisposable {
  readonly broker: BrokerFixture;
  readonly world: World;
  readonly own: Ownership;
  readonly breaches: Breach[] = [];
  readonly tally = newTally();
  #sent: Sent[] = [];
  /** Whose each tag is: his in whose turn it first was there. */
  readonly #tags = new Map<string, string>();
  readonly #devices: ReadonlyMap<number, number>;
  readonly #credentials = new Map<string, Promise<Credential>>();

  constructor(broker: BrokerFixture, world: World, own: Ownership) {
    this.broker = broker;
    this.world = world;
    this.own = own;
    this.#devices = new Map(
      world.ports.flatMap(({ id, device }) => (device === undefined ? [] : [[id, device.lds] as const])),
    );
  }

  /** Called before a request is executed: what it means depends on what is bound at this moment. */
  watch(opcode: number, payload: Uint8Array): void {
    this.#sent.push({ opcode, payload: payload.slice(), ground: this.ground() });
  }

  /** The truth, past the broker. */
  ground(): Ground {
    const bindings = readBindings(
      (opcode, payload) => this.broker.device.emulator.execute(opcode, payload),
      this.world.vcss.map(({ id }) => id),
    );
    return { devices: this.#devices, bindings, tags: new Map(this.#tags) };
  }

  credential(tenant: string): Promise<Credential> {
    const known = this.#credentials.get(tenant) ?? this.broker.credential(tenant);
    this.#credentials.set(tenant, known);
    return known;
  }

  /** Submits one attempt and holds everything that follows against the oracle. */
  async run(tenant: string, attempt: Attempt, caller?: Credential): Promise<CoreResult<CommandAnswer>> {
    this.#sent = [];
    this.broker.requests.length = 0;
    const before = this.ground();
    const result = await this.broker.submit(caller ?? (await this.credential(tenant)), attempt.request);
    if (result.ok && (result.value.background !== undefined || result.value.returnCode === 1))
      await this.broker.settle();
    const asked: Terminal =
      attempt.outer === undefined
        ? { kind: 'opaque', path: [], why: 'a message that is none' }
        : walk(attempt.outer.opcode, attempt.outer.payload);
    this.#judgeReach(tenant, attempt, asked);
    this.#judgeReply(tenant, attempt, asked, result, before);
    this.#noteTags(tenant);
    return result;
  }

  /** Tags that are on the devices now, read past the broker. */
  #noteTags(tenant: string): void {
    const there = new Set<string>();
    for (const { id, device } of this.world.ports) {
      if (device?.dynamic !== true) continue;
      const list = Uint8Array.of(id, 0, 20, 0, 0, 1, 0, 0x08, 0x56, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0);
      const { payload } = this.broker.device.emulator.execute(0x5300, list);
      for (let at = 4 + 12 + 16; at + 84 <= payload.length; at += 84) {
        const hex = Array.from(payload.subarray(at, at + 16), (byte) => byte.toString(16).padStart(2, '0')).join('');
        there.add(`${id}/${hex}`);
      }
    }
    for (const key of this.#tags.keys()) if (!there.has(key)) this.#tags.delete(key);
    for (const key of there) if (!this.#tags.has(key)) this.#tags.set(key, tenant);
  }

  #judgeReach(tenant: string, attempt: Attempt, asked: Terminal): void {
    let reached = 0;
    for (const { opcode, payload, ground } of this.#sent) {
      const sent = walk(opcode, payload);
      if (isOwnRead(tenant, asked, sent, this.own)) continue;
      reached++;
      const verdict = mayReach(tenant, opcode, payload, this.own, ground);
      if (verdict.may) {
        count(
          this.tally.opcodes,
          sent.kind === 'terminal' ? `${sent.path.length}:${sent.opcode.toString(16)}` : 'opaque',
        );
        continue;
      }
      const hex = Array.from(payload, (byte) => byte.toString(16).padStart(2, '0')).join('');
      this.breaches.push({
        property: 'reach',
        tenant,
        attempt: attempt.label,
        what: `${opcode.toString(16)}h ${hex} reached the device: ${verdict.why}`,
      });
    }
    if (reached > 0) this.tally.reached++;
  }

  #judgeReply(
    tenant: string,
    attempt: Attempt,
    asked: Terminal,
    result: CoreResult<CommandAnswer>,
    before: Ground,
  ): void {
    this.tally.commands++;
    const breach = (what: string) => this.breaches.push({ property: 'reply', tenant, attempt: attempt.label, what });
    for (const what of this.#canaries(tenant, result)) breach(what);
    if (!result.ok) {
      this.tally.refused++;
      count(this.tally.codes, result.problem.code);
      if (result.problem.code === 'EINTERNAL') breach(`the broker broke: ${result.problem.detail}`);
      return;
    }
    this.tally.answered++;
    const { value } = result;
    count(this.tally.codes, value.returnCode.toString(16));
    if (value.returnCode === 1) this.tally.changed++;
    if (value.message !== undefined) {
      const opened = openReply(value.message);
      if (opened === undefined) breach('the reply message does not fit together');
      else if (!same(opened.payload, value.payload)) breach('the reply message says other than the payload');
    }
    if (value.returnCode !== 0) {
      if (value.payload.length > 0) breach('an error carries a payload');
      return;
    }
    for (const what of disclosedBy(tenant, asked, value.payload, this.own, before)) breach(what);
  }

  /** Serial numbers of foreign devices and names of other tenants have no business in any answer. */
  #canaries(tenant: string, result: CoreResult<CommandAnswer>): readonly string[] {
    const bytes = result.ok ? [...result.value.payload] : [];
    const text = JSON.stringify(result, (_, value: unknown) =>
      typeof value === 'bigint' ? `0x${value.toString(16)}` : value,
    );
    const found: string[] = [];
    for (const { id, device, owner, ldOwners } of this.world.ports) {
      if (device === undefined || owner === tenant || ldOwners.includes(tenant)) continue;
      const serial = device.serial.toString(16).padStart(16, '0');
      const wire = (serial.match(/../g) ?? []).reverse().map((pair) => Number.parseInt(pair, 16));
      if (bytes.join().includes(wire.join()) || text.includes(device.serial.toString(16))) {
        found.push(`the serial number of the device behind port ${id}`);
      }
    }
    for (const other of this.world.tenants)
      if (other !== tenant && text.includes(other)) found.push(`the name ${other}`);
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.broker.close();
  }
}

function count(map: Map<string, number>, key: string): void {
  map.set(key, (map.get(key) ?? 0) + 1);
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
