import { readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { MemoryRevocations } from '../../../src/broker/auth/index.ts';
import { isSamePerson } from '../../../src/broker/console/rules.ts';
import type { CoreResult, Credential } from '../../../src/broker/core-api.ts';
import type { Principal } from '../../../src/policy/index.ts';
import type { BrokerFixture } from '../../support/broker-fixture.ts';
import {
  APPROVE,
  ask,
  type ConsoleParts,
  caller,
  journal,
  OPEN,
  REASON,
  script,
  startConsoleBroker,
  tidy,
  value,
} from './console-broker.ts';

const table = (name: string): readonly (readonly string[])[] =>
  readFileSync(new URL(name, import.meta.url), 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('#'))
    .map((line) => line.split('|').map((field) => field.trim()));

const ISSUER = 'https://cci-broker.local/dev';
const programs = {
  other: script('printf other'),
  ours: script('printf ours', 'tenant: acme'),
};

interface Difference {
  readonly parts?: ConsoleParts;
  readonly scopes?: readonly string[];
  readonly tenant?: string;
  readonly subject?: string;
  readonly program?: string;
  readonly reason?: string;
  readonly durationMs?: number;
  readonly switch?: string;
  readonly columns?: number;
  readonly before?: (broker: BrokerFixture) => unknown;
}

const lock = (level: 'integrity' | 'confidentiality'): Difference => ({ parts: { broker: { lockdown: level } } });
const differences: { readonly [what: string]: Difference } = {
  nothing: {},
  'no scope cci:console': { scopes: ['cci:read', 'cci:raw', 'cci:approve'] },
  'no grant': { subject: 'dave' },
  'a program that is not there': { program: 'nothing' },
  "another program's grant": {
    subject: 'erin',
    parts: {
      rows: `p, role:one, fabric, /switches/sw0, console:other, allow\ng, user:${ISSUER}#erin, role:one, fabric`,
    },
  },
  'a deny row for all raw commands': {
    parts: { rows: 'p, role:console, fabric, /switches/sw0, class:raw, deny' },
  },
  'another tenant': { tenant: 'acme' },
  'a switch she cannot see': { switch: 'sw9' },
  'profile host': { parts: { broker: { profile: 'host', rawCommands: 'off' } } },
  'raw commands off': { parts: { broker: { rawCommands: 'off' } } },
  'lockdown integrity': lock('integrity'),
  'lockdown confidentiality': lock('confidentiality'),
  'taint X not acknowledged': {
    parts: { broker: { rereadMs: 10 } },
    before: async (broker) => {
      const who = await broker.credential('fabric', { scopes: ['cci:read'] });
      broker.device.emulator.control.bindBehindBack({ vcs: 1, vppb: 2, port: 7, ld: 0 });
      await expect.poll(async () => value(await broker.core.taint(who))[0]?.letters).toContain('X');
    },
  },
  'no reason': { reason: '' },
  'a short reason': { reason: 'because' },
  'a reason of two lines': { reason: 'one line\nand another one' },
  'a reason that turns its direction': { reason: 'harmless \u202etext here' },
  'too long': { durationMs: 3_600_001 },
  'a size of nothing': { columns: 0 },
  'a program that belongs to acme': { program: 'ours' },
};

/** Request and open, as one: what the caller is told at the first refusal. */
async function tryToOpen(broker: BrokerFixture, who: Credential, given: Difference) {
  const { program = 'tool', reason = REASON, durationMs, columns = 80 } = given;
  const name = given.switch ?? 'sw0';
  const wanted = { program, reason, ...(durationMs === undefined ? {} : { durationMs }) };
  const asked = await broker.core.consoleRequest(who, name, wanted);
  return asked.ok ? broker.core.consoleOpen(who, name, asked.value.id, columns, 24) : asked;
}

/** Brokers that tests share which change nothing of them. */
const shared = new Map<string, Promise<BrokerFixture>>();
afterAll(async () => {
  for (const broker of shared.values()) await (await broker).close();
});

async function usingShared(
  key: string,
  parts: ConsoleParts,
  work: (broker: BrokerFixture) => Promise<void>,
): Promise<void> {
  const known = shared.get(key) ?? startConsoleBroker(parts);
  shared.set(key, known);
  const broker = await known;
  try {
    await work(broker);
  } finally {
    await tidy(broker);
  }
}

async function usingOne(parts: ConsoleParts, work: (broker: BrokerFixture) => Promise<void>): Promise<void> {
  await using broker = await startConsoleBroker(parts);
  await work(broker);
}

describe('who may open a console', () => {
  it.each(table('opening-rules.csv'))('%s: %s', async (what, result, told) => {
    const given = differences[what ?? ''];
    if (given === undefined) throw new Error(`nobody knows what \`${what}\` is`);
    const isPlain = given.parts === undefined && given.before === undefined;
    const using = isPlain ? usingShared.bind(undefined, 'plain') : usingOne;
    await using({ ...given.parts, programs }, (broker) => tried(broker, given, result, told));
  });

  async function tried(broker: BrokerFixture, given: Difference, result = '', told = ''): Promise<void> {
    await given.before?.(broker);
    const before = (await journal(broker)).length;
    const { tenant = 'fabric', subject = 'alice', scopes = OPEN } = given;
    const who = await broker.credential(tenant, { subject, scopes });
    const answer = await tryToOpen(broker, who, given);
    expect(answer.ok ? 'opened' : answer.problem.code).toBe(result);
    expect(answer.ok ? '' : answer.problem.detail).toContain(told);
    const records = (await journal(broker)).slice(before);
    const started = records.filter(({ kind }) => kind === 'intent').length;
    expect(started).toBe(answer.ok ? 1 : 0);
    // Whoever is refused by a rule is on record with it, whatever he was told.
    if (result === 'EPERM' && given.scopes === undefined) {
      expect(records.findLast(({ kind }) => kind === 'decision')).toMatchObject({
        verdict: 'deny',
        flags: ['denied', 'unaudited'],
      });
    }
  }
});

describe('the second person', () => {
  it.each([
    ['the same name', 'user:a#1', '1', 'user:a#1', '1', true],
    ['the same subject at another issuer', 'user:a#1', '1', 'user:b#1', '1', true],
    ['another subject', 'user:a#1', '1', 'user:a#2', '2', false],
    ['another subject at another issuer', 'user:a#1', '1', 'user:b#2', '2', false],
  ])('is somebody else: %s', (_what, name, subject, otherName, otherSubject, same) => {
    const one = { name, subject } as Principal;
    expect(isSamePerson(one, { name: otherName, subject: otherSubject } as Principal)).toBe(same);
  });

  const rows = table('second-person.csv');
  it.each(rows)('%s (%s) %s: %s; the console can be opened: %s', async (who, scope, does, told, opens) => {
    const revocations = new MemoryRevocations();
    const late = does === 'confirms too late';
    const parts: ConsoleParts = {
      section: `approval: required\napproval_ms: ${late ? 1000 : 60_000}`,
      // The grant is not what stops her from confirming her own request.
      rows: `g, user:${ISSUER}#alice, role:second, fabric`,
      broker: { revocations },
    };
    const changes = late || /revoked|loses|lockdown/.test(does ?? '');
    const using = changes ? usingOne : usingShared.bind(undefined, 'second');
    await using(parts, (broker) => confirmed(broker, revocations, [who, scope, does, told, opens]));
  });

  async function confirmed(
    broker: BrokerFixture,
    revocations: MemoryRevocations,
    [who, scope, does, told, opens]: readonly (string | undefined)[],
  ): Promise<void> {
    const alice = await caller(broker, 'alice');
    const asked = value(await ask(broker, alice));
    expect(asked.state).toBe('waiting');
    expect((await broker.core.consoleOpen(alice, 'sw0', asked.id, 80, 24)).ok).toBe(false);

    const second = await broker.credential('fabric', { subject: who ?? '', scopes: ['cci:read', scope ?? ''] });
    const { core } = broker;
    const confirm = (id = asked.id, digest = asked.digest) => core.consoleApprove(second, 'sw0', id, digest);
    const answer = await act(does ?? '');
    expect(answer === undefined ? '-' : answer.ok ? 'ok' : answer.problem.code).toBe(told);
    const opened = await core.consoleOpen(alice, 'sw0', asked.id, 80, 24);
    expect(opened.ok ? 'yes' : 'no').toBe(opens);
    const records = await journal(broker);
    expect(records.filter(({ change, request }) => change === 'requested' && request === asked.id)).toHaveLength(1);
    if (opened.ok) {
      const intent = records.findLast(({ kind }) => kind === 'intent');
      expect(intent).toMatchObject({ details: { approvedBy: `user:${ISSUER}#${who}`, digest: asked.digest } });
      expect(records.findLast(({ change }) => change === 'approved')).toMatchObject({ request: asked.id });
    }

    async function act(what: string): Promise<CoreResult<unknown> | undefined> {
      const tellBob = () => caller(broker, 'bob');
      const withoutRows = async (word: string) => {
        const file = join(broker.directory, 'policies', 'tenants', 'fabric.csv');
        const text = await readFile(file, 'utf8');
        await writeFile(
          file,
          text
            .split('\n')
            .filter((line) => !line.includes(word))
            .join('\n'),
        );
        value(await core.reloadPolicy(await broker.credential('fabric', { scopes: ['cci:policy'] })));
      };
      switch (what) {
        case 'nothing':
          return undefined;
        case 'confirms another digest':
          return confirm(
            asked.id,
            asked.digest.replace(/^./, (c) => (c === '0' ? '1' : '0')),
          );
        case 'confirms another request':
          return confirm('00000000-0000-4000-8000-000000000000');
        case 'denies':
          return core.consoleDeny(second, 'sw0', asked.id, 'not tonight');
        case 'confirms after it was denied':
          await core.consoleDeny(second, 'sw0', asked.id, 'not tonight');
          return confirm();
        case 'confirms too late':
          await new Promise((done) => setTimeout(done, 1050));
          return confirm();
        case 'confirms twice':
          await confirm();
          return confirm();
        default: {
          const answer = await confirm();
          const name = (one: string) => `user:${ISSUER}#${one}`;
          if (what.endsWith('then is revoked')) revocations.revoke({ kind: 'principal', name: name('carol') });
          if (what.endsWith('alice is revoked')) revocations.revoke({ kind: 'principal', name: name('alice') });
          if (what.endsWith('then loses grant')) await withoutRows('#carol');
          if (what.endsWith('alice loses grant')) await withoutRows('#alice');
          if (what.endsWith('lockdown is raised')) {
            const posture = await broker.credential('fabric', { scopes: ['cci:posture'] });
            value(await core.raiseLockdown(posture, 'integrity', 'something is wrong'));
          }
          if (what.endsWith('bob opens it')) {
            expect(await core.consoleOpen(await tellBob(), 'sw0', asked.id, 80, 24)).toMatchObject({
              ok: false,
              problem: { code: 'ENOENT' },
            });
            // It stays alice's: she takes it back.
            await core.consoleDeny(alice, 'sw0', asked.id, 'taken back');
          }
          if (what.endsWith('opened twice')) value(await core.consoleOpen(alice, 'sw0', asked.id, 80, 24));
          return answer;
        }
      }
    }
  }

  it('waits for a word as long as it is asked to, and sees what was asked for', async () => {
    await using broker = await startConsoleBroker({ section: 'approval: required' });
    const [alice, carol] = [await caller(broker, 'alice'), await caller(broker, 'carol', APPROVE)];
    const asked = value(await ask(broker, alice));
    const waiting = broker.core.consoleRequested(alice, 'sw0', asked.id, 10_000);
    const { requests } = value(await broker.core.consoles(carol, 'sw0'));
    expect(requests).toEqual([asked]);
    expect(asked).toMatchObject({
      reason: REASON,
      program: 'tool',
      principal: `user:${ISSUER}#alice`,
      durationMs: 3_600_000,
    });
    value(await broker.core.consoleApprove(carol, 'sw0', asked.id, asked.digest));
    expect(value(await waiting)).toMatchObject({ state: 'ready', decidedBy: `user:${ISSUER}#carol` });
  });

  it('is told to nobody who may not confirm it', async () => {
    await using broker = await startConsoleBroker({ section: 'approval: required' });
    const asked = value(await ask(broker, await caller(broker, 'alice')));
    const dave = await broker.credential('fabric', { subject: 'dave', scopes: ['cci:approve', 'cci:console'] });
    expect(value(await broker.core.consoles(dave, 'sw0'))).toEqual({ programs: [], requests: [], sessions: [] });
    expect(await broker.core.consoleRequested(dave, 'sw0', asked.id)).toMatchObject({
      ok: false,
      problem: { code: 'ENOENT' },
    });
  });

  it('is asked no more than a few times at once by one person', async () => {
    await using broker = await startConsoleBroker({ section: 'approval: required' });
    const alice = await caller(broker, 'alice');
    for (let i = 0; i < 4; i++) value(await ask(broker, alice));
    expect(await ask(broker, alice)).toMatchObject({ ok: false, problem: { code: 'EAGAIN' } });
  });
});
