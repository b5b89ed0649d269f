import { describe, expect, it } from 'vitest';
import type { Dispatched } from '../../../src/broker/pipeline/dispatch.ts';
import { prepare } from '../../../src/broker/pipeline/prepare.ts';
import { Handmade, type HandmadeOptions, type Question } from '../../support/handmade-switch.ts';
import { type End, ends } from './ends.ts';

// The tags that a command brings get their owner before it waits.

const A = 'aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa';
const B = 'bbbbbbbb-bbbb-bbbb-bbbb-bbbbbbbbbbbb';
const NONE = '00000000-0000-0000-0000-000000000000';
const hex = (uuid: string) => uuid.replaceAll('-', '');
/** Capacity with a tag, and extents that name tags of their own. */
const add = (port: number, tag: string, extents: readonly string[] = []): Question => ({
  named: 'initiate-dynamic-capacity-add',
  params: {
    host_id: 0,
    selection_policy: extents.length === 0 ? 'free' : 'prescriptive',
    region: 0,
    length: 1,
    tag: hex(tag),
    ...(extents.length === 0
      ? {}
      : { extents: extents.map((one) => ({ starting_dpa: 0, length: 1, tag: hex(one), shared_extent_sequence: 0 })) }),
  },
  via: `port:${port}`,
});

async function prepared(question: Question, options: HandmadeOptions = {}) {
  const made = new Handmade(options);
  const decided = made.decided(question);
  const result = await prepare(made.services, decided);
  if (!result.ok) throw new Error(result.refusal.detail);
  const end = (dispatched: Dispatched | undefined) => result.prepared.end(dispatched);
  return { made, decided, end };
}

async function refused(question: Question, options: HandmadeOptions = {}) {
  const made = new Handmade(options);
  const result = await prepare(made.services, made.decided(question));
  return { made, refusal: result.ok ? undefined : result.refusal };
}

describe('a tag that a command brings', () => {
  const place = { port: 3, serial: 'serial of 3' };

  it('is claimed for the tenant at its place, each once, and those of the extents with it', async () => {
    const { made } = await prepared(add(3, A, [B, A, NONE]));
    expect(made.details('claim')).toEqual([[place, [A, B], 'acme']]);
    expect(made.times('reconcile')).toBe(0);
  });

  it('is claimed where it has no owner yet', async () => {
    const tagOwner = (port: number, tag: string) => (port === 3 && tag === A ? 'acme' : undefined);
    const { made } = await prepared(add(3, A, [B]), { view: { tagOwner } });
    expect(made.details('claim')).toEqual([[place, [B], 'acme']]);
    expect((await prepared(add(3, A), { view: { tagOwner } })).made.done).toEqual([]);
    expect((await prepared(add(3, NONE))).made.done).toEqual([]);
  });

  it('is nobody’s business of another command, nor of the switch itself', async () => {
    const made = new Handmade();
    const onSwitch = made.decided(add(3, A));
    const decision = { ...onSwitch.decision, command: { ...onSwitch.decision.command, hops: [], opcode: 0x5604 } };
    await prepare(made.services, { ...onSwitch, decision });
    const other = { ...onSwitch.decision, command: { ...onSwitch.decision.command, opcode: 0x5605 } };
    await prepare(made.services, { ...onSwitch, decision: other });
    const unread = { ...onSwitch, decoded: { ...onSwitch.decoded, asked: undefined } };
    await prepare(made.services, unread);
    expect(made.times('claim')).toBe(0);
  });

  it.each([
    ['done', 'keep'],
    ['malformed', 'keep'],
    ['lost', 'keep'],
    ['defect', 'keep'],
    ['error', 'release'],
    ['error on the way', 'release'],
    ['not sent', 'release'],
    ['refused', 'release'],
  ] as readonly (readonly [End, string])[])('stays his unless it was not added: %s, %s', async (name, what) => {
    const { made, end } = await prepared(add(3, A));
    await end(ends[name]);
    expect(made.done.map(([name]) => name).filter((name) => name === 'keep' || name === 'release')).toEqual([what]);
  });

  it('that stays recorded because the disk fails is in the log', async () => {
    const error = new Error('full');
    const release = async () => {
      throw error;
    };
    const tags = { claim: async () => ({ made: new Set(), keep: () => {}, release }) };
    const { made, end } = await prepared(add(3, A), { tags });
    await end(ends.error);
    expect(made.done.at(-1)).toEqual(['log error', { err: error }, 'a tag that was not added stays recorded on disk']);
  });

  it('that is another’s is refused like what is not there, and the expectation is over', async () => {
    const { made, refusal } = await refused(add(3, A), { tags: { claim: async () => undefined } });
    expect(refusal).toEqual({ code: 'EPERM', detail: 'not permitted, or there is no such object', returnCode: 2 });
    expect(made.details('over')).toEqual([[]]);
  });
});

describe('on a device that he shares', () => {
  const place = { port: 5, serial: 'serial of 5' };
  const shared = { ...add(5, A), tenant: 'acme' };
  const owned = (tenant: string | undefined) => ({ ownerOf: () => tenant });

  it('the tags that are there are looked at first', async () => {
    const { made, end } = await prepared(shared, {
      tags: owned('acme'),
      view: { listTags: async (port: number) => ({ ok: true, value: [`tags of ${port}`] }) },
    });
    const [details] = made.details('reconcile');
    expect(details).toEqual([
      place,
      ['tags of 5'],
      {
        before: { settled: new Set(['before']) },
        operators: 'fabric',
        claim: expect.objectContaining({ made: new Set() }),
      },
    ]);
    expect(made.times('release')).toBe(0);
    await end(ends.done);
    expect(made.times('keep')).toBe(1);
  });

  it('what stands there without a record is not his', async () => {
    const { made, refusal } = await refused(shared, { tags: owned('fabric') });
    expect(refusal).toMatchObject({ code: 'EPERM' });
    expect(made.times('release')).toBe(1);
    const asked: unknown[] = [];
    const ownerOf = (...details: unknown[]) => {
      asked.push(details);
      return asked.length === 1 ? 'acme' : 'globex';
    };
    const { refusal: half } = await refused(add(5, A, [B]), { tags: { ownerOf } });
    expect(half).toMatchObject({ code: 'EPERM' });
    expect(asked).toEqual([
      [place, A],
      [place, B],
    ]);
  });

  it('operators do not have to look', async () => {
    const { made } = await prepared({ ...shared, tenant: 'fabric' });
    expect(made.times('reconcile')).toBe(0);
    expect(made.details('claim')).toEqual([[place, [A], 'fabric']]);
    const ofTenant = await prepared({ ...add(3, A), tenant: 'fabric' });
    expect(ofTenant.made.times('reconcile')).toBe(0);
  });

  it('nothing is added where the tags cannot be read', async () => {
    const { made, refusal } = await refused(shared, {
      view: { listTags: async () => ({ ok: false, text: 'it is away' }) },
    });
    expect(refusal).toEqual({
      code: 'EIO',
      detail: 'the command was not sent: the tags of the device cannot be read now',
      returnCode: 4,
    });
    expect(made.times('release')).toBe(1);
    expect(made.details('log warn')).toEqual([
      [{ switch: 'sw0', port: 5, text: 'it is away' }, 'the tags of a device cannot be listed'],
    ]);
  });

  it('nothing is added, and nothing stays his, where what was found cannot be written down', async () => {
    const reconcile = async () => {
      throw new Error('full');
    };
    const { made, refusal } = await refused(shared, { tags: { reconcile } });
    expect(refusal).toMatchObject({ code: 'EIO' });
    expect(made.times('release')).toBe(1);
    expect(made.times('over')).toBe(1);
  });
});
