import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { PolicyWatch, type PolicyWatchOptions } from '../../src/broker/policy-watch.ts';
import { type BrokerFixture, startBrokerFixture } from '../support/broker-fixture.ts';
import { journalOf, shippedParts } from '../support/shipped-broker.ts';

const SOON = { timeout: 15_000, interval: 10 };
/** In one go: a look between the emptying of a file and the writing of it would see a change of its own. */
const write = async (path: string, text: string): Promise<void> => writeFileSync(path, text);
/** Long enough for a change that should be heard of to have been. */
const quiet = (ms = 150) => new Promise((done) => setTimeout(done, ms));

describe('the watch over policy files', () => {
  let root = '';
  let directory = '';
  let fabric = '';
  let calls = 0;
  let watch: PolicyWatch | undefined;

  const begin = async (more: Partial<PolicyWatchOptions> = {}): Promise<PolicyWatch> => {
    watch = await PolicyWatch.start({
      directory,
      files: [fabric],
      quietMs: 20,
      onChange: async () => {
        calls += 1;
      },
      ...more,
    });
    return watch;
  };
  const heard = (times: number) => vi.waitFor(() => expect(calls).toBe(times), SOON);
  const file = (name: string) => join(directory, name);

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'cci-watch-'));
    directory = join(root, 'policies');
    fabric = join(root, 'config', 'fabric.yaml');
    calls = 0;
    await mkdir(join(directory, 'tenants'), { recursive: true });
    await mkdir(join(root, 'config'));
    await write(file('mandatory.csv'), 'one');
    await write(file('tenants/acme.csv'), 'one');
    await write(fabric, 'one');
  });
  afterEach(async () => {
    await watch?.stop();
    await rm(root, { recursive: true, force: true });
  });

  it.each([
    ['a file of the directory is written', () => write(file('mandatory.csv'), 'two')],
    ['a tenant file is written', () => write(file('tenants/acme.csv'), 'two')],
    ['a tenant file is added', () => write(file('tenants/globex.csv'), 'one')],
    ['a tenant file is removed', () => rm(file('tenants/acme.csv'))],
    ['the fabric file is written', () => write(fabric, 'two')],
    [
      'an editor puts a new file in the place of the old one',
      async () => {
        await write(file('.mandatory.csv.swp'), 'two');
        await rename(file('.mandatory.csv.swp'), file('mandatory.csv'));
      },
    ],
    [
      'the first vendor command is added in a folder of its own',
      async () => {
        mkdirSync(file('commands.d'));
        await write(file('commands.d/a.yaml'), 'one');
      },
    ],
  ])('calls once when %s', async (_name, change) => {
    await begin();
    await change();
    await heard(1);
    await quiet();
    expect(calls).toBe(1);
  });

  it('calls once for many writes in a row', async () => {
    await begin({ quietMs: 300 });
    for (let i = 0; i < 20; i += 1) await write(file('tenants/acme.csv'), `row ${i}`);
    await heard(1);
    await quiet(350);
    expect(calls).toBe(1);
  });

  it('is not kept waiting by somebody who writes without a pause', async () => {
    await begin({ quietMs: 300, longestMs: 100 });
    let i = 0;
    const writing = setInterval(() => void write(file('tenants/acme.csv'), `row ${i++}`), 10);
    try {
      await vi.waitFor(() => expect(calls).toBeGreaterThan(0), SOON);
    } finally {
      clearInterval(writing);
    }
  });

  it.each([
    ['a file is only touched', () => utimes(file('mandatory.csv'), 1, 1)],
    ['a file is written as it was', () => write(file('mandatory.csv'), 'one')],
    ['an editor leaves its copy behind', () => write(file('mandatory.csv~'), 'x')],
    ['a hidden file is written', () => write(file('tenants/.acme.csv.swp'), 'x')],
    ['something else lies beside the fabric file', () => write(join(root, 'config', 'broker.yaml'), 'x')],
  ])('does not call when %s', async (_name, change) => {
    await begin();
    await change();
    await quiet();
    expect(calls).toBe(0);
  });

  it('hears of the directory that takes the place of one that was removed', async () => {
    await begin({ pollMs: { deaf: 50, hearing: 50 } });
    await rename(directory, join(root, 'old'));
    await heard(1);
    cpSync(join(root, 'old'), directory, { recursive: true });
    await heard(2);
    await write(file('tenants/acme.csv'), 'two');
    await heard(3);
  });

  it('looks every now and then where the system tells nothing', async () => {
    const deaf = () => {
      throw Object.assign(new Error('no watches are left'), { code: 'ENOSPC' });
    };
    const started = await begin({ watchDirectory: deaf as never, pollMs: { deaf: 30, hearing: 60_000 } });
    expect(started.hearing).toBe(false);
    await write(file('tenants/acme.csv'), 'two');
    await heard(1);
  });

  it('looks at what was written while the last change was being loaded', async () => {
    const first = Promise.withResolvers<void>();
    const began = Promise.withResolvers<void>();
    await begin({
      onChange: async () => {
        calls += 1;
        began.resolve();
        if (calls === 1) await first.promise;
      },
    });
    await write(file('mandatory.csv'), 'two');
    await began.promise;
    await write(file('mandatory.csv'), 'three');
    await quiet(60);
    expect(calls).toBe(1);
    first.resolve();
    await heard(2);
  });

  it('goes on after a failure of whoever it calls', async () => {
    const errors: unknown[] = [];
    await begin({
      onChange: async () => {
        calls += 1;
        if (calls === 1) throw new Error('first');
      },
      onError: (error) => errors.push(error),
    });
    await write(file('mandatory.csv'), 'two');
    await heard(1);
    await write(file('mandatory.csv'), 'three');
    await heard(2);
    expect(errors).toHaveLength(1);
  });

  it('calls nobody after it was stopped', async () => {
    await (await begin()).stop();
    await write(file('mandatory.csv'), 'two');
    await quiet(80);
    expect(calls).toBe(0);
  });
});

describe('a broker that watches its policy', () => {
  let broker: BrokerFixture;
  const acme = () => join(broker.directory, 'policies', 'tenants', 'acme.csv');
  const records = async () => (await journalOf(broker)).filter(({ kind }) => kind === 'policy');
  const rows = shippedParts.grants.get('acme') ?? '';

  beforeEach(async () => {
    broker = await startBrokerFixture({ ...shippedParts, policyReload: 'watch' });
  });
  afterEach(() => broker.close());

  it('takes a changed file, refuses a wrong one once, and keeps what it had', async () => {
    const alice = await broker.credential('acme', { subject: 'alice', groups: ['operators'] });
    const bind = () =>
      broker.core.decide(alice, 'sw0', {
        kind: 'named',
        command: 'bind-vppb',
        params: { vcs_id: 0, vppb_id: 2, physical_port_id: 3, ld_id: 1 },
      });
    const verdict = async () => {
      const answer = await bind();
      return answer.ok ? answer.value.verdict : answer.problem.code;
    };
    expect(await verdict()).toBe('allow');

    await write(acme(), `${rows}\np, role:operator, acme, own, bind-vppb, deny\n`);
    await vi.waitFor(async () => expect(await verdict()).toBe('deny'), SOON);
    await vi.waitFor(async () => expect(await records()).toHaveLength(1), SOON);
    expect((await records())[0]).toMatchObject({ by: 'file change', change: 'loaded' });

    await write(acme(), `${rows}\np, role:operator, acme, own, bind-vppb, Deny\n`);
    await vi.waitFor(async () => expect(await records()).toHaveLength(2), SOON);
    expect((await records())[1]).toMatchObject({ by: 'file change', change: 'refused' });
    expect(String((await records())[1]?.reason)).toContain('`Deny` is not an effect');
    expect(await verdict()).toBe('deny');

    // Touched, and back to what is in force: nothing happens, nothing is recorded.
    await utimes(acme(), 1, 1);
    await write(acme(), `${rows}\np, role:operator, acme, own, bind-vppb, deny\n`);
    await quiet(600);
    expect(await records()).toHaveLength(2);
  });

  it('goes back with its files after somebody else had loaded what stood there in between', async () => {
    const dave = await broker.credential('fabric', {
      subject: 'dave',
      groups: ['fabric-operators'],
      scopes: ['cci:policy'],
    });
    const allows = `${rows}\np, role:reader, acme, own, scope:1, allow\n`;
    await write(acme(), rows);
    await quiet(600);
    await write(acme(), allows);
    expect((await broker.core.reloadPolicy(dave)).ok).toBe(true);
    await write(acme(), rows);
    await vi.waitFor(async () => expect((await records()).map(({ by }) => by)).toContain('file change'), SOON);
    const [loaded, back] = await records();
    expect(back).toMatchObject({ previous: loaded?.snapshot, snapshot: loaded?.previous });
  });

  it('takes who owns what from the fabric file at once', async () => {
    const gwen = await broker.credential('globex');
    const owns = async () => {
      const answer = await broker.core.whoami(gwen);
      return answer.ok ? answer.value.owns : [];
    };
    expect(await owns()).toContain('/switches/sw0/ports/4');
    await write(
      join(broker.directory, 'fabric.yaml'),
      shippedParts.fabric.replace(/^.*\/switches\/sw0\/ports\/4.*$/m, ''),
    );
    await vi.waitFor(async () => expect(await owns()).not.toContain('/switches/sw0/ports/4'), SOON);
  });
});

it('with `reload: manual` a change waits until somebody asks for it', async () => {
  const broker = await startBrokerFixture({ ...shippedParts, policyReload: 'manual' });
  try {
    const before = (await journalOf(broker)).length;
    await write(join(broker.directory, 'policies', 'tenants', 'acme.csv'), '# nothing\n');
    await quiet(500);
    expect(await journalOf(broker)).toHaveLength(before);
  } finally {
    await broker.close();
  }
});
