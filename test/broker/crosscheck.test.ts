import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Crosscheck, type ReferenceThread } from '../../src/broker/crosscheck.ts';
import type { Difference, FromReference, ToReference } from '../../src/broker/crosscheck-messages.ts';
import { CrosscheckReference } from '../../src/broker/crosscheck-reference.ts';
import type { LoadedPolicy } from '../../src/broker/policy-holder.ts';
import {
  createSnapshot,
  type Decision,
  engineOf,
  formatLoadError,
  type RuleEngine,
  readPolicy,
} from '../../src/policy/index.ts';
import { callerOf, sourceOf } from '../policy/load/fixture.ts';
import { type BrokerFixture, startBrokerFixture } from '../support/broker-fixture.ts';
import { exampleTopology, fakePosture, fakeTopology } from '../support/fake-policy.ts';
import { bindOwn, journalOf, shippedParts } from '../support/shipped-broker.ts';

const SOON = { timeout: 15_000, interval: 20 };
const TEMPERATURE = 'northbay-get-port-temperature';
const temperature = readFileSync(`test/policy/load/commands/${TEMPERATURE}.yaml`, 'utf8');
const rows = `p, role:a, acme, own, class:allowlisted, allow
p, role:a, acme, own, ${TEMPERATURE}, allow
p, role:a, acme, /switches/sw0/ports/2, bind-vppb, deny
p, role:a, acme, own, bind-vppb, allow
g, group:tenant/acme, role:a, acme
`;

async function loaded(text = rows): Promise<LoadedPolicy> {
  const source = sourceOf({ tenants: { acme: text } });
  const files = { ...('files' in source ? source.files : {}), [`commands.d/${TEMPERATURE}.yaml`]: temperature };
  const read = await readPolicy({ ...source, files });
  if (!read.ok) throw new Error(read.error.map(formatLoadError).join('\n'));
  const engine = await engineOf(read.value, source.fabric);
  return { engine, snapshot: createSnapshot(engine, { discloseReasons: 'own' }), rules: read.value.rules };
}

const principal = callerOf('acme');
const posture = fakePosture({ profile: 'host' });
function decisionOf(policy: LoadedPolicy, opcode: number, payload: readonly number[], level?: 'integrity'): Decision {
  const input = {
    principal: { ...principal, scopes: ['cci:read', 'cci:config', 'cci:debug-read'] as const },
    submission: {
      switch: 'sw0',
      submittedAs: 'typed' as const,
      command: { hops: [], tags: [], opcode, payload: new Uint8Array(payload) },
    },
    posture: level === undefined ? posture : fakePosture({ level }),
    topology: fakeTopology(exampleTopology),
  };
  return policy.snapshot.decide(input, { kind: 'notRaw' });
}
const identify = (policy: LoadedPolicy) => decisionOf(policy, 0x0001, []);

/** The reference in this thread, under the eyes of the test. */
class TestThread implements ReferenceThread {
  readonly sent: ToReference[] = [];
  readonly reference = new CrosscheckReference();
  answers = true;
  ended = false;
  private readonly listeners = new Map<string, (value: never) => void>();
  private working: Promise<unknown> = Promise.resolve();

  postMessage(message: ToReference): void {
    this.sent.push(structuredClone(message));
    if (!this.answers) return;
    this.working = this.working.then(async () => {
      const answer = await this.reference.take(structuredClone(message));
      if (answer !== undefined) this.say('message', answer);
    });
  }
  on(event: string, listener: (value: never) => void): void {
    this.listeners.set(event, listener);
  }
  say(event: 'message' | 'error', value: FromReference | Error): void {
    this.listeners.get(event)?.(value as never);
  }
  unref(): void {}
  async terminate(): Promise<void> {
    this.ended = true;
  }
  get samples(): number {
    return this.sent.filter(({ kind }) => kind === 'sample').length;
  }
}

describe('the cross-check', () => {
  let crosscheck: Crosscheck | undefined;
  afterEach(() => crosscheck?.close());

  async function begin(policy: LoadedPolicy, more: { readonly answers?: boolean } = {}) {
    const threads: TestThread[] = [];
    const differences: Difference[] = [];
    const failures: unknown[] = [];
    const checked = { count: 0 };
    const started = new Crosscheck(policy, {
      intervalMs: 1,
      onDifferences: (found) => differences.push(...found),
      onCompared: () => {
        checked.count += 1;
      },
      onFailure: (error) => failures.push(error),
      startReference: () => {
        const thread = new TestThread();
        thread.answers = more.answers ?? true;
        threads.push(thread);
        return thread;
      },
    });
    crosscheck = started;
    /** Shows it decisions until it has taken some. */
    const show = (decision: Decision, until: () => boolean, shown = posture) =>
      vi.waitFor(() => {
        started.observe(principal, decision, shown);
        expect(until()).toBe(true);
      }, SOON);
    return { crosscheck: started, threads, differences, failures, checked, show };
  }

  it('finds nothing where engine and reference agree: allowed, denied by a row, by default and by mandatory rows', async () => {
    const policy = await loaded();
    const { checked, show, differences, crosscheck } = await begin(policy);
    const decisions = [
      identify(policy),
      decisionOf(policy, 0xc010, [2, 0]),
      decisionOf(policy, 0xc010, [4, 0]),
      decisionOf(policy, 0x5201, [0, 2, 2, 0, 0xff, 0xff]),
      decisionOf(policy, 0x5101, [1, 2]),
      decisionOf(policy, 0x5101, [5, 0, 1, 2, 3, 4]),
    ];
    for (const decision of decisions) {
      const before = checked.count;
      await show(decision, () => checked.count > before + 1);
    }
    const locked = decisionOf(policy, 0x5203, [0, 1, 0, 0, 0, 0, 0, 0].concat(Array(32).fill(0)), 'integrity');
    const before = checked.count;
    await show(locked, () => checked.count > before, fakePosture({ level: 'integrity' }));
    expect(differences).toEqual([]);
    expect([crosscheck.differences, crosscheck.state]).toEqual([0, 'running']);
  });

  it.each<readonly [string, (engine: RuleEngine) => Partial<RuleEngine>, Partial<Difference>]>([
    [
      'allows what no row allows',
      () => ({
        grant: (_who, resource) => ({ resource, allowed: true, rule: { source: 'tenants/acme.csv:1', text: '' } }),
      }),
      { engine: { allowed: true, source: 'tenants/acme.csv:1' }, reference: { allowed: false } },
    ],
    [
      'denies what is granted',
      () => ({ grant: (_who, resource) => ({ resource, allowed: false }) }),
      { engine: { allowed: false }, reference: { allowed: true, source: 'tenants/acme.csv:2' } },
    ],
    [
      'names another row than the one that decided',
      (engine) => ({
        grant: (who, resource, command) => ({
          ...engine.grant(who, resource, command),
          rule: { source: 'tenants/acme.csv:9', text: '' },
        }),
      }),
      { reference: { allowed: true, source: 'tenants/acme.csv:2' } },
    ],
    [
      'forgets a mandatory row',
      () => ({ mandatory: () => [{ id: 'L1', source: 'mandatory.csv:1', reason: 'made up', errno: 'EPERM' }] }),
      { engine: { allowed: false, source: 'mandatory.csv:1' }, reference: { allowed: true } },
    ],
  ])('catches an engine that %s', async (_name, sabotage, expected) => {
    const honest = await loaded();
    const engine: RuleEngine = {
      id: honest.engine.id,
      counters: honest.engine.counters,
      fabric: honest.engine.fabric,
      loosened: [],
      commands: honest.engine.commands,
      mandatory: (facts) => honest.engine.mandatory(facts),
      grant: (who, resource, command) => honest.engine.grant(who, resource, command),
      roles: () => [],
      nearestMiss: () => undefined,
      rolesThatCould: () => [],
      ...sabotage(honest.engine),
    };
    const policy = { ...honest, engine, snapshot: createSnapshot(engine, { discloseReasons: 'own' }) };
    const { differences, show, crosscheck } = await begin(policy);
    const port = _name.startsWith('allows') ? 4 : 2;
    await show(decisionOf(policy, 0xc010, [port, 0]), () => differences.length > 0);
    expect(differences[0]).toMatchObject({ tenant: 'acme', command: { slug: TEMPERATURE }, ...expected });
    expect(crosscheck.differences).toBeGreaterThan(0);
  });

  it('learns another policy, and says nothing about decisions of the one before', async () => {
    const [first, second] = [await loaded(), await loaded(`${rows}p, role:a, acme, own, unbind-vppb, allow\n`)];
    const { crosscheck, threads, checked, show, differences } = await begin(first);
    await show(identify(first), () => checked.count > 0);
    crosscheck.use(second);
    const samples = () => threads[0]?.samples ?? 0;
    const before = samples();
    for (let i = 0; i < 20; i += 1) {
      crosscheck.observe(principal, identify(first), posture);
      await new Promise((done) => setTimeout(done, 2));
    }
    expect(samples()).toBe(before);
    const compared = checked.count;
    await show(identify(second), () => checked.count > compared);
    expect(differences).toEqual([]);
  });

  it('drops a sample that comes back after its policy was replaced', async () => {
    const reference = new CrosscheckReference();
    expect(await reference.take({ kind: 'end' })).toBeUndefined();
    const sample = {
      snapshot: 'gone',
      requestId: undefined,
      principal: principal.name,
      names: principal.names,
      tenant: 'acme',
      command: { opcode: 1, class: 'allowlisted', scope: 0 },
      grants: [],
      facts: { level: 'none', underLockdown: 'allow', taint: [], profile: 'host', reach: 'query', conditions: [] },
      deniedBy: undefined,
    } as const;
    expect(await reference.take({ kind: 'sample', sample })).toEqual({
      kind: 'compared',
      decisions: 0,
      differences: [],
      tookMs: 0,
    });
  });

  it('owes a slow reference nothing: few samples wait, the rest is dropped', async () => {
    const policy = await loaded();
    const { crosscheck, threads, show } = await begin(policy, { answers: false });
    await show(identify(policy), () => threads.length > 0);
    await vi.waitFor(() => expect(threads[0]?.sent.at(-1)?.kind).toBe('end'), SOON);
    threads[0]?.say('message', { kind: 'ready', snapshot: policy.snapshot.id });
    for (let i = 0; i < 60; i += 1) {
      crosscheck.observe(principal, identify(policy), posture);
      await new Promise((done) => setTimeout(done, 2));
    }
    expect(threads[0]?.samples).toBe(8);
  });

  it('hands over large policies in pieces', async () => {
    const many = Array.from({ length: 1000 }, (_, i) => `p, role:r${i}, acme, own, bind-vppb, allow\n`).join('');
    const policy = await loaded(rows + many);
    const { threads, checked, show } = await begin(policy);
    await show(identify(policy), () => checked.count > 0);
    const pieces =
      threads[0]?.sent.flatMap((message) => (message.kind === 'grants' ? [message.rows.length] : [])) ?? [];
    expect(Math.max(...pieces)).toBeLessThanOrEqual(200);
    expect(pieces.reduce((sum, rows) => sum + rows, 0)).toBe(1004);
  });

  it('starts a reference that died anew, three times, and then leaves it', async () => {
    const policy = await loaded();
    const { crosscheck, threads, failures, show } = await begin(policy, { answers: false });
    for (let time = 1; time <= 3; time += 1) {
      await show(identify(policy), () => threads.length === time);
      threads.at(-1)?.say('error', new Error('out of memory'));
    }
    expect(failures).toHaveLength(3);
    expect(crosscheck.state).toBe('failed');
    for (let i = 0; i < 10; i += 1) {
      crosscheck.observe(principal, identify(policy), posture);
      await new Promise((done) => setTimeout(done, 2));
    }
    expect(threads).toHaveLength(3);
  });

  it('ends its thread, and is not surprised by what that says last', async () => {
    const policy = await loaded();
    const { crosscheck, threads, failures, show } = await begin(policy);
    await show(identify(policy), () => threads.length > 0);
    await crosscheck.close();
    threads[0]?.say('error', new Error('terminated'));
    expect([threads[0]?.ended, failures]).toEqual([true, []]);
  });
});

describe('where the reference runs', () => {
  const many = Array.from({ length: 400 }, (_, i) => `p, role:r${i}, acme, own, bind-vppb, allow\n`).join('');

  it.each([
    ['few rows: on the thread of the broker', rows, rows],
    ['many rows: on a thread of its own', rows + many, rows + many],
    ['rows that became many: moved to a thread of its own', rows, rows + many],
  ])('%s', async (_name, before, after) => {
    const compared: number[] = [];
    const problems: unknown[] = [];
    let policy = await loaded(before);
    const crosscheck = new Crosscheck(policy, {
      intervalMs: 1,
      onDifferences: (found) => problems.push(...found),
      onCompared: () => compared.push(1),
      onFailure: (error) => problems.push(error),
    });
    try {
      const more = async () => {
        const count = compared.length;
        await vi.waitFor(() => {
          crosscheck.observe(principal, identify(policy), posture);
          expect(compared.length).toBeGreaterThan(count);
        }, SOON);
      };
      await more();
      if (after !== before) {
        policy = await loaded(after);
        crosscheck.use(policy);
        await more();
      }
      expect(crosscheck.state).toBe('running');
      expect(problems).toEqual([]);
    } finally {
      await crosscheck.close();
    }
  });
});

describe('a broker with a reference beside it', () => {
  const body = async (broker: BrokerFixture) => ({
    metrics: await broker.core.metrics(),
    ready: await broker.core.readiness(),
    records: (await journalOf(broker)).filter(({ kind }) => kind === 'policy'),
  });
  const ask = async (broker: BrokerFixture) => {
    const alice = await broker.credential('acme', { subject: 'alice', groups: ['operators'] });
    return () => broker.core.decide(alice, 'sw0', bindOwn);
  };

  it('compares what it decides and is ready', async () => {
    const broker = await startBrokerFixture({ ...shippedParts, crosscheck: 'sampled', crosscheckIntervalMs: 1 });
    try {
      const decide = await ask(broker);
      await vi.waitFor(async () => {
        await decide();
        expect((await body(broker)).metrics).toMatch(/cci_policy_crosschecks_total [1-9]/);
      }, SOON);
      const { ready, records, metrics } = await body(broker);
      expect(ready.checks).toContainEqual({ name: 'policy-crosscheck', ok: true, detail: 'running' });
      expect(metrics).toContain('cci_policy_crosscheck_differences_total 0');
      expect(records).toEqual([]);
    } finally {
      await broker.close();
    }
  });

  it('raises an alarm when its engine is sabotaged: metric, journal and readiness', async () => {
    const broker = await startBrokerFixture({
      ...shippedParts,
      crosscheck: 'sampled',
      crosscheckIntervalMs: 1,
      wrapEngine: (engine) =>
        new Proxy(engine, {
          get: (target, key) =>
            key === 'grant'
              ? (_who: unknown, resource: string) => ({
                  resource,
                  allowed: true,
                  rule: { source: 'nowhere:1', text: 'p' },
                })
              : typeof Reflect.get(target, key) === 'function'
                ? Reflect.get(target, key).bind(target)
                : Reflect.get(target, key),
        }),
    });
    try {
      const decide = await ask(broker);
      await vi.waitFor(async () => {
        await decide();
        expect((await body(broker)).records.length).toBeGreaterThan(0);
      }, SOON);
      const { ready, records, metrics } = await body(broker);
      expect(ready.ready).toBe(false);
      expect(ready.checks).toContainEqual({ name: 'policy-crosscheck', ok: false, detail: 'differs' });
      expect(metrics).toMatch(/cci_policy_crosscheck_differences_total [1-9]/);
      expect(records[0]).toMatchObject({ by: 'crosscheck', change: 'crosscheck-differs' });
      expect(JSON.stringify(records[0]?.details)).toContain('nowhere:1');
    } finally {
      await broker.close();
    }
  });
});
