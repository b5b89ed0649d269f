import { describe, expect, it } from 'vitest';
import { recordOutcome, recordRefusal } from '../../../src/broker/pipeline/record.ts';
import { openInMemory } from '../journal/fixture.ts';

// The disk takes a while for each write; what waits for it is bounded by how much is recorded, not by how many ask.

const CALLERS = 2000;
const TEXT = 'x'.repeat(8000);

const principal = { name: 'user:i#alice', names: [], tenant: 'acme', tokenId: 't', scopes: [] };
const posture = { version: 1, lockdown: { effective: 'none' }, taint: { letters: [] }, profile: 'host' };

async function setup() {
  const { journal } = await openInMemory();
  const waited: number[] = [];
  const services = { journal } as never;
  const all = async (record: (request: never) => Promise<void>) => {
    const one = async (i: number) => {
      await record({ id: `r-${i}`, source: '192.0.2.1:5', startedMs: 0 } as never);
      waited.push(journal.health().pendingBytes);
    };
    await Promise.all(Array.from({ length: CALLERS }, (_, i) => one(i)));
    await journal.flush();
    expect(journal.health()).toMatchObject({ sequence: CALLERS, durableSequence: CALLERS });
    return Math.max(...waited);
  };
  return { services, all };
}

describe('many who are recorded at once', () => {
  it('wait for the disk with their refusals, and none is turned away for want of a record', async () => {
    const { services, all } = await setup();
    const refusal = { code: 'EPERM', detail: TEXT, returnCode: 2 } as const;
    const most = await all((request) => recordRefusal(services, request, principal as never, refusal));
    expect(most).toBeLessThan(1.1 * 2 ** 20);
  });

  it('wait for it with their outcomes, those included that are made behind the reply', async () => {
    const { services, all } = await setup();
    const decided = { principal, decoded: {}, runtime: { name: 'sw0', posture: { posture: () => posture } } };
    const ended = { outcome: 'done', intent: 1, note: TEXT } as const;
    const most = await all((request) => recordOutcome(services, request, decided as never, {} as never, ended));
    expect(most).toBeLessThan(5 * 2 ** 20);
  });
});
