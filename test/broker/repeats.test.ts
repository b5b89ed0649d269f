import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { MemoryRevocations } from '../../src/broker/auth/index.ts';
import type { CommandAnswer, CommandRequest, CoreResult, Credential } from '../../src/broker/core-api.ts';
import type { Services, SwitchRuntime } from '../../src/broker/pipeline/index.ts';
import { Repeats } from '../../src/broker/pipeline/repeats.ts';
import {
  CEL_UUID,
  encodeMessage,
  encodePayload,
  encodeRoute,
  isTyped,
  opcode,
  portId,
  RC,
  rowBySlug,
  type TypedSlug,
} from '../../src/cci/index.ts';
import type { Decision, Principal } from '../../src/policy/index.ts';
import type { BrokerParts } from '../support/broker-fixture.ts';
import { bindOwn, journalOf, type ShippedBroker, startShippedBroker } from '../support/shipped-broker.ts';

// What was worked out for a read is used again. Nobody may be able to tell, but by how fast it is.

let running: ShippedBroker | undefined;
afterEach(async () => {
  await running?.broker.close();
  running = undefined;
});

const named = (command: string, params?: object): CommandRequest => ({
  kind: 'named',
  command,
  ...(params === undefined ? {} : { params }),
});

function message(slug: TypedSlug, params: object, tag: number): CommandRequest {
  const row = rowBySlug(slug);
  const payload = row !== undefined && isTyped(row) ? encodePayload(row.request, params as never) : undefined;
  if (row === undefined || payload?.ok !== true) throw new Error(`${slug} cannot be encoded`);
  const header = { background: false, returnCode: RC.success, vendorStatus: 0 };
  const bytes = encodeMessage({
    ...header,
    category: 'request',
    tag,
    opcode: opcode(row.opcode),
    payload: payload.value,
  });
  return { kind: 'message', bytes };
}

/** The same through a tunnel to the MLD behind port 3, with a tag of its own inside. */
function tunnelled(slug: TypedSlug, params: object, tag: number, inner: number): CommandRequest {
  const row = rowBySlug(slug);
  const payload = row !== undefined && isTyped(row) ? encodePayload(row.request, params as never) : undefined;
  if (row === undefined || payload?.ok !== true) throw new Error(`${slug} cannot be encoded`);
  const hops = [{ kind: 'port', port: portId(3) }] as const;
  const outer = encodeRoute({ hops, tags: [inner], opcode: row.opcode, payload: payload.value });
  const header = { background: false, returnCode: RC.success, vendorStatus: 0 };
  const bytes = encodeMessage({ ...header, category: 'request', tag, ...outer, opcode: opcode(outer.opcode) });
  return { kind: 'message', bytes };
}

const ports = (...ids: number[]) => named('get-physical-port-state', { port_id_list: ids });
const vcss = (vcs: number[], start = 0) =>
  named('get-virtual-cxl-switch-info', { starting_vppb: start, vppb_list_limit: 255, vcs_id_list: vcs });
const cel = named('get-log', { log_identifier: CEL_UUID, offset: 0, length: 8 });
const events = named('get-event-records', { event_log: 'informational' });

const allocations = tunnelled('get-ld-allocations', { start_ld_id: 0, ld_allocation_list_limit: 16 }, 4, 9);

const reads: readonly CommandRequest[] = [
  ports(2),
  ports(4),
  ports(2, 3, 4),
  vcss([0]),
  vcss([0, 1]),
  vcss([1], 2),
  named('identify-switch-device'),
  named('get-supported-logs'),
  cel,
  events,
  named('background-operation-status'),
  named('get-response-message-limit'),
  message('get-physical-port-state', { port_id_list: [2, 4] }, 9),
  message('identify-switch-device', {}, 200),
  message('background-operation-status', {}, 3),
  allocations,
  tunnelled('get-ld-allocations', { start_ld_id: 0, ld_allocation_list_limit: 16 }, 4, 10),
  tunnelled('get-ld-info', {}, 1, 1),
  tunnelled('get-qos-control', {}, 2, 200),
  { kind: 'named', command: 'identify', via: 'port:2' },
  named('no-such-command'),
  { kind: 'message', bytes: Uint8Array.of(0, 1, 2) },
];

/** How often the policy is asked for a grant. */
function countedGrants() {
  let asked = 0;
  const wrapEngine: BrokerParts['wrapEngine'] = (engine) =>
    new Proxy(engine, {
      get: (inner, name) => {
        if (name === 'grant') asked++;
        const member: unknown = Reflect.get(inner, name);
        return typeof member === 'function' ? member.bind(inner) : member;
      },
    });
  return { wrapEngine, asked: () => asked };
}

/** Everything of an answer that is not of this one asking. */
function told(answer: CoreResult<CommandAnswer>): unknown {
  if (!answer.ok) return { ...answer.problem, requestId: '' };
  return { ...answer.value, requestId: '' };
}

const OF_ONE_ASKING = 'seq at mono prev hash requestId tokenId durationMs queueMs deviceMs'.split(' ');
const recorded = (record: { readonly [key: string]: unknown }): unknown =>
  Object.fromEntries(Object.entries(record).filter(([name]) => !OF_ONE_ASKING.includes(name)));

const idOf = (answer: CoreResult<CommandAnswer>): string =>
  answer.ok ? answer.value.requestId : answer.problem.requestId;

const subjects = {
  acme: { subject: 'alice', groups: ['operators'] },
  globex: { subject: 'bob', groups: ['operators'] },
  fabric: {
    subject: 'olga',
    groups: ['fabric-admins'],
    scopes: ['cci:read', 'cci:config', 'cci:posture', 'cci:policy'],
  },
} as const;
type Tenant = keyof typeof subjects;

async function edited(at: string, change: (text: string) => string, { broker, olga }: ShippedBroker): Promise<void> {
  const file = join(broker.directory, at);
  const text = await readFile(file, 'utf8');
  await writeFile(file, change(text));
  expect(await broker.core.reloadPolicy(olga)).toMatchObject({ ok: true });
}

/** Port 4 of globex becomes acme's, or goes back. */
const swapOwner = (text: string): string =>
  text.includes('      - /switches/sw0/ports/2\n      - /switches/sw0/ports/4\n')
    ? text
        .replace('      - /switches/sw0/ports/2\n      - /switches/sw0/ports/4\n', '      - /switches/sw0/ports/2\n')
        .replace('      - /switches/sw0/ports/1\n', '      - /switches/sw0/ports/1\n      - /switches/sw0/ports/4\n')
    : text
        .replace('      - /switches/sw0/ports/4\n', '')
        .replace('      - /switches/sw0/ports/2\n', '      - /switches/sw0/ports/2\n      - /switches/sw0/ports/4\n');

const DENY = [
  'p, role:reader, acme, own, get-physical-port-state, deny\n',
  'p, role:reader, acme, /switches/sw0, get-event-records, deny\n',
].join('');
const toggleDeny = (text: string): string => (text.includes(DENY) ? text.replace(DENY, '') : text + DENY);

const changes: { readonly [name: string]: (setup: ShippedBroker) => Promise<unknown> } = {
  nothing: async () => undefined,
  owner: (setup) => edited('fabric.yaml', swapOwner, setup),
  rows: (setup) => edited('policies/tenants/acme.csv', toggleDeny, setup),
  bind: ({ broker, alice }) => broker.submit(alice, bindOwn),
  unbind: ({ broker, alice }) =>
    broker.submit(alice, named('unbind-vppb', { vcs_id: 0, vppb_id: 2, option: 'surprise-hot-remove' })),
  'behind its back': async ({ broker, olga }) => {
    broker.device.emulator.control.unbindBehindBack({ vcs: 0, vppb: 0 });
    await broker.core.acceptTopology(olga, 'sw0', 'seen');
  },
  'behind its back, not accepted': async ({ broker, olga }) => {
    broker.device.emulator.control.unbindBehindBack({ vcs: 1, vppb: 0 });
    await broker.submit(olga, named('physical-port-control', { ppb_id: 6, port_opcode: 'assert-perst' }));
    await broker.submit(olga, named('physical-port-control', { ppb_id: 6, port_opcode: 'deassert-perst' }));
  },
  limit: ({ broker, alice }) =>
    broker.submit(alice, named('set-response-message-limit', { response_message_limit: 8 })),
  'no limit': ({ broker, alice }) =>
    broker.submit(alice, named('set-response-message-limit', { response_message_limit: 10 })),
  integrity: ({ broker, olga }) => broker.core.raiseLockdown(olga, 'integrity', 'incident'),
  confidentiality: ({ broker, olga }) => broker.core.raiseLockdown(olga, 'confidentiality', 'incident'),
};

describe('a read that was asked before', () => {
  it('is answered and recorded as for somebody who asks for the first time, whatever changed meanwhile', async () => {
    const step = fc.record({
      tenant: fc.constantFrom<Tenant>('acme', 'acme', 'globex', 'fabric'),
      // These rest on the rows, on who owns what, and on the bindings; two of them never reach the device.
      reads: fc
        .uniqueArray(fc.nat(reads.length - 1), { maxLength: 3 })
        .map((some) => [
          ...new Set([reads.indexOf(events), 2, 4, reads.indexOf(cel), reads.indexOf(allocations), ...some]),
        ]),
      change: fc.constantFrom(...Object.keys(changes), 'rows', 'rows', 'owner'),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 10 }), async (steps) => {
        const setup = await startShippedBroker({ clock: () => 1_700_000_000_000 });
        try {
          const { broker } = setup;
          const known = { acme: setup.alice, globex: setup.bob, fabric: setup.olga };
          known.fabric = await broker.credential('fabric', subjects.fabric);
          const pairs: (readonly [again: string, first: string])[] = [];
          for (const { tenant, reads: wanted, change } of steps) {
            await changes[change]?.(setup);
            await broker.settle();
            for (const at of wanted) {
              const read = reads[at] ?? events;
              // The first one may read a CEL, and from then on the fabric is another version.
              await broker.submit(known[tenant], read);
              const again = await broker.submit(known[tenant], read);
              const first = await broker.submit(await broker.credential(tenant, subjects[tenant]), read);
              expect(told(again)).toEqual(told(first));
              pairs.push([idOf(again), idOf(first)]);
            }
          }
          await broker.core.reloadPolicy(setup.olga);
          await broker.core.raiseLockdown(setup.olga, 'confidentiality', 'the end');
          const records = Map.groupBy(await journalOf(broker), ({ requestId }) => requestId);
          for (const [again, first] of pairs) {
            expect(records.get(again)).toHaveLength(1);
            expect(records.get(again)?.map(recorded)).toEqual(records.get(first)?.map(recorded));
          }
        } finally {
          await setup.broker.close();
        }
      }),
      { numRuns: 12, seed: 20261 },
    );
  }, 120_000);

  it('is decided once', async () => {
    const grants = countedGrants();
    running = await startShippedBroker({ wrapEngine: grants.wrapEngine });
    const { broker, alice } = running;
    await broker.submit(alice, ports(2));
    const before = grants.asked();
    expect(before).toBeGreaterThan(0);
    expect(await broker.submit(alice, ports(2))).toMatchObject({ ok: true });
    expect(grants.asked()).toBe(before);
    await broker.submit(alice, ports(2, 3));
    expect(grants.asked()).toBeGreaterThan(before);
  });

  it('is decided once through a tunnel to an MLD as well, where its sender has chosen the tag inside', async () => {
    const grants = countedGrants();
    running = await startShippedBroker({ wrapEngine: grants.wrapEngine });
    const { broker, alice } = running;
    const asks = async (read: CommandRequest): Promise<number> => {
      const before = grants.asked();
      expect(await broker.submit(alice, read)).toMatchObject({ ok: true });
      return grants.asked() - before;
    };
    await asks(allocations);
    await asks(allocations);
    expect(await asks(allocations)).toBe(0);
    expect(
      await asks(tunnelled('get-ld-allocations', { start_ld_id: 0, ld_allocation_list_limit: 16 }, 4, 11)),
    ).toBeGreaterThan(0);
    const inWords: CommandRequest = { kind: 'named', command: 'get-ld-info', via: 'port:3' };
    await asks(inWords);
    expect(await asks(inWords)).toBeGreaterThan(0);
  });

  it('shows nobody what it showed somebody else', async () => {
    running = await startShippedBroker();
    const { broker, alice, bob } = running;
    const shown = async (caller: Credential) => {
      const answer = await broker.submit(caller, vcss([0, 1]));
      if (!answer.ok) throw new Error(answer.problem.detail);
      const { vcs_information_list: blocks } = answer.value.result as {
        readonly vcs_information_list: readonly { readonly vcs_id: number }[];
      };
      return blocks.map(({ vcs_id }) => vcs_id);
    };
    for (let round = 0; round < 3; round++) {
      expect(await shown(alice)).toEqual([0]);
      expect(await shown(bob)).toEqual([1]);
    }
  });

  it('bears the tag of its own message', async () => {
    running = await startShippedBroker();
    const { broker, alice } = running;
    for (const tag of [1, 2, 255, 0]) {
      const answer = await broker.submit(alice, message('get-physical-port-state', { port_id_list: [2] }, tag));
      expect(answer.ok && answer.value.message?.[1]).toBe(tag);
    }
  });

  it('is refused with a token that was revoked', async () => {
    const revocations = new MemoryRevocations();
    running = await startShippedBroker({ revocations });
    const { broker, alice } = running;
    for (let i = 0; i < 2; i++) expect(await broker.submit(alice, ports(2))).toMatchObject({ ok: true });
    revocations.revoke({ kind: 'tenant', tenant: 'acme' });
    expect(await broker.submit(alice, ports(2))).toMatchObject({ ok: false, problem: { code: 'EAUTH' } });
  });

  it('tells the clock, the limit and the events of now', async () => {
    running = await startShippedBroker();
    const { broker, alice } = running;
    const field = async (read: CommandRequest, name: string): Promise<unknown> => {
      const answer = await broker.submit(alice, read);
      return answer.ok ? (answer.value.result as { readonly [name: string]: unknown })[name] : answer.problem;
    };
    const clock = named('get-timestamp');
    const limit = named('get-response-message-limit');
    const device = await field(limit, 'response_message_limit');
    expect(await field(limit, 'response_message_limit')).toBe(device);
    await broker.submit(alice, named('set-response-message-limit', { response_message_limit: 9 }));
    expect(await field(limit, 'response_message_limit')).toBe(9);
    await field(clock, 'timestamp');
    await broker.submit(alice, named('set-timestamp', { timestamp: '5000000000000000000' }));
    expect(BigInt(String(await field(clock, 'timestamp'))) / 10n ** 14n).toBe(50_000n);
  });

  it('is not mistaken for one that means something else and looks the same as JSON', async () => {
    running = await startShippedBroker();
    const { broker, alice } = running;
    const plain = named('identify-switch-device');
    const nothing = { ...plain, params: null } as CommandRequest;
    for (let i = 0; i < 2; i++) expect(await broker.submit(alice, nothing)).toMatchObject({ ok: true });
    expect(await broker.submit(alice, { ...plain, params: Number.POSITIVE_INFINITY } as CommandRequest)).toMatchObject({
      ok: false,
      problem: { code: 'EPARAM' },
    });
  });

  it('shows what is his when the answer comes, though the switch answers the same', async () => {
    const setup = await startShippedBroker();
    running = setup;
    const { broker, device, alice } = setup;
    const shown = async (): Promise<unknown> => {
      const answer = await broker.submit(alice, named('identify-switch-device'));
      return answer.ok
        ? (answer.value.result as { readonly active_port_bitmask: unknown }).active_port_bitmask
        : answer.problem;
    };
    const meanwhile = (): void => {
      device.hook = async (_request, pass) => {
        device.hook = undefined;
        await edited('fabric.yaml', swapOwner, setup);
        return pass();
      };
    };
    for (let i = 0; i < 2; i++) expect(await shown()).toEqual([0, 2]);
    meanwhile();
    expect(await shown()).toEqual([0, 2, 4]);
    for (let i = 0; i < 2; i++) expect(await shown()).toEqual([0, 2, 4]);
    meanwhile();
    expect(await shown()).toEqual([0, 2]);
  });

  it('is recorded with the lockdown that was raised while the device thought', async () => {
    running = await startShippedBroker();
    const { broker, device, alice, olga } = running;
    for (let i = 0; i < 2; i++) await broker.submit(alice, ports(2));
    device.hook = async (_request, pass) => {
      device.hook = undefined;
      await broker.core.raiseLockdown(olga, 'integrity', 'incident');
      return pass();
    };
    const answer = await broker.submit(alice, ports(2));
    await broker.core.raiseLockdown(olga, 'confidentiality', 'flush');
    const record = (await journalOf(broker)).find(({ requestId }) => requestId === idOf(answer));
    expect(record).toMatchObject({ posture: { lockdown: 'integrity' }, postureBefore: { lockdown: 'none' } });
  });
});

describe('what is kept', () => {
  interface World {
    readonly services: Services;
    readonly policy: { current: { id: string }; shadow: undefined };
    readonly runtime: SwitchRuntime;
    readonly device: { state: string };
    readonly versions: { posture: number; topology: number };
  }

  function world(): World {
    const policy = { current: { id: 'A' }, shadow: undefined };
    const versions = { posture: 1, topology: 1 };
    const device = { state: 'serving' };
    const runtime = {
      device,
      posture: { posture: () => ({ version: versions.posture }) },
      topology: {
        get version() {
          return versions.topology;
        },
      },
    };
    return {
      services: { policy } as unknown as Services,
      policy,
      runtime: runtime as unknown as SwitchRuntime,
      device,
      versions,
    };
  }

  const caller = (): Principal => ({}) as Principal;
  const decision = (more: object = {}): Decision =>
    ({
      verdict: 'allow',
      answer: 'device',
      facts: { mutating: false, class: 'allowlisted' },
      taints: [],
      command: { hops: [] },
      basis: { snapshot: 'A', posture: 1, topology: 1 },
      ...more,
    }) as unknown as Decision;
  const keep = (
    repeats: Repeats,
    { services, runtime }: World,
    who: Principal,
    what: CommandRequest,
    one = decision(),
  ) => repeats.remember(services, runtime, who, what, { decoded: {} as never, decision: one });

  it.each([
    ['another policy', ({ policy }: World) => Object.assign(policy, { current: { id: 'A' } })],
    ['a raised posture', ({ versions }: World) => void versions.posture++],
    ['another fabric', ({ versions }: World) => void versions.topology++],
    ['a switch that is away', ({ device }: World) => Object.assign(device, { state: 'quarantined' })],
  ])('is not used after %s', (_name, change) => {
    const at = world();
    const repeats = new Repeats();
    const who = caller();
    keep(repeats, at, who, ports(2));
    expect(repeats.find(at.services, at.runtime, who, ports(2))).toBeDefined();
    expect(repeats.find(at.services, at.runtime, caller(), ports(2))).toBeUndefined();
    change(at);
    expect(repeats.find(at.services, at.runtime, who, ports(2))).toBeUndefined();
  });

  it.each([
    ['was taken under the policy before', { basis: { snapshot: 'before', posture: 1, topology: 1 } }],
    ['denies', { verdict: 'deny' }],
    ['changes something', { facts: { mutating: true, class: 'audited' } }],
    ['is about raw bytes', { facts: { mutating: false, class: 'raw' } }],
    ['raises a taint', { taints: [{ letter: 'E' }] }],
    ['still waits for a CEL', { needsCel: [] }],
    ['is about what is behind a port', { command: { opcode: 0x5400, hops: [{ kind: 'port', port: 2 }] } }],
    ['the broker answers with an empty list', { answer: 'empty' }],
  ])('is never a decision that %s', (_name, more) => {
    const at = world();
    const repeats = new Repeats();
    const who = caller();
    expect(keep(repeats, at, who, ports(2), decision(more))).toBeUndefined();
    expect(repeats.find(at.services, at.runtime, who, ports(2))).toBeUndefined();
  });

  it('is let go with the policy that it rests on, also of callers who never come back', () => {
    const at = world();
    const repeats = new Repeats();
    const [gone, here] = [caller(), caller()];
    const old = at.policy.current;
    keep(repeats, at, gone, ports(2));
    at.policy.current = { id: 'A' };
    keep(repeats, at, here, ports(2));
    at.policy.current = old;
    expect(repeats.find(at.services, at.runtime, gone, ports(2))).toBeUndefined();
  });

  it('is bounded over all callers: many tokens fill no memory', () => {
    const at = world();
    const repeats = new Repeats();
    const first = caller();
    keep(repeats, at, first, ports(0));
    for (let token = 0; token < 32; token++) {
      const who = caller();
      for (let port = 0; port < 128; port++) keep(repeats, at, who, ports(port));
    }
    expect(repeats.find(at.services, at.runtime, first, ports(0))).toBeUndefined();
  });
});
