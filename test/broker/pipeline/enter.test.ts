import { describe, expect, it } from 'vitest';
import { enter } from '../../../src/broker/pipeline/enter.ts';
import { Cancellation } from '../../../src/broker/schedule/index.ts';
import { fakePrincipal } from '../../support/fake-policy.ts';

// Where a request waits for its share of the broker's time.

const turn = { kind: 'turn', waitedMs: 0, end: () => {} };

function entranceOf(answer: unknown) {
  const asked: unknown[] = [];
  const entrance = {
    ask: (request: unknown) => {
      asked.push(request);
      return answer;
    },
  };
  return { asked, entrance: entrance as never };
}

describe('a request that asks for time', () => {
  it.each([
    ['fabric', 'operators'],
    ['acme', 'tenants'],
  ])('of %s waits with %s, under his tenant', async (tenant, lane) => {
    const { asked, entrance } = entranceOf(turn);
    expect(await enter({ entrance }, fakePrincipal(tenant), {})).toEqual({ ok: true, value: turn });
    expect(asked).toStrictEqual([{ tenant, lane }]);
  });

  it('waits no longer than its deadline, and can be taken back', async () => {
    const { asked, entrance } = entranceOf(Promise.resolve(turn));
    const cancellation = new Cancellation();
    expect(await enter({ entrance }, fakePrincipal('acme'), { deadlineMs: 17, cancellation })).toMatchObject({
      ok: true,
    });
    expect(asked).toStrictEqual([{ tenant: 'acme', lane: 'tenants', deadlineMs: 17, cancellation }]);
  });

  it.each([
    ['cancelled', 'the client went away before it was sent'],
    ['queue-full', 'too many requests wait to be looked at'],
    ['deadline', 'too many requests wait to be looked at'],
  ])('and gets none (%s) is told to ask again, with the limit that it met', async (why, detail) => {
    const { entrance } = entranceOf(Promise.resolve({ kind: 'unserved', why, retryAfterMs: 250 }));
    expect(await enter({ entrance }, fakePrincipal('acme'), {})).toEqual({
      ok: false,
      error: { code: 'EAGAIN', detail, returnCode: 5, retryAfterMs: 250, limit: why },
    });
  });
});
