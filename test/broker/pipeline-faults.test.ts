import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CommandRequest, Credential } from '../../src/broker/core-api.ts';
import { journalOf, type ShippedBroker, startShippedBroker } from '../support/shipped-broker.ts';

let setup: ShippedBroker;
beforeEach(async () => {
  setup = await startShippedBroker();
});
afterEach(() => setup.broker.close());

const identify: CommandRequest = { kind: 'named', command: 'identify' };

/** A credential that makes the broker fail within, at the first step that looks at it. */
function faulty(thrown: unknown): Credential {
  return {
    source: 'test',
    get token(): string {
      throw thrown;
    },
  };
}

describe('a failure inside the broker itself', () => {
  it.each([
    ['an error', new TypeError('no such thing'), 'TypeError: no such thing'],
    ['anything else that is thrown', 'a word', 'unknown'],
  ])('by %s refuses, is in the journal with its cause, and tells the caller nothing', async (_name, thrown, defect) => {
    for (const door of ['submit', 'decide'] as const) {
      const answer = await setup.broker.core[door](faulty(thrown), 'sw0', identify);
      expect(answer).toMatchObject({
        ok: false,
        problem: { code: 'EINTERNAL', detail: 'refused: something inside the broker failed' },
      });
      expect(JSON.stringify(answer)).not.toContain('no such thing');
      const requestId = answer.ok ? '' : answer.problem.requestId;
      expect((await journalOf(setup.broker)).at(-1)).toMatchObject({
        kind: 'decision',
        verdict: 'deny',
        requestId,
        flags: ['denied'],
        details: { defect },
      });
    }
  });

  it('is one request: the next is answered', async () => {
    await setup.broker.core.submit(faulty(new Error('once')), 'sw0', identify);
    expect(await setup.broker.submit(setup.alice, identify)).toMatchObject({ ok: true, value: { returnCode: 0 } });
  });
});
