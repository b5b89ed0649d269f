import { describe, expect, it } from 'vitest';
import type { CommandRequest } from '../../../src/broker/core-api.ts';
import { replied } from '../../support/handmade-bytes.ts';
import {
  bindPort,
  handmadePipeline,
  problemOfRefused,
  rawBytes,
  readPorts,
  someTurns,
} from '../../support/handmade-pipeline.ts';
import { BY_ACME, BY_OPERATOR } from '../../support/handmade-switch.ts';

// What becomes of a request whose device, or whose broker, fails.

describe('a command that the device did not take', () => {
  const failing = (failure: object) => {
    const all = handmadePipeline();
    all.made.answer = () => ({ kind: 'failed', failure: { outcome: 'not-sent', ...failure } as never });
    return all;
  };
  it.each([
    [{ errno: 'EIO', text: 'wire cut' }, 'EIO', 'the switch is not available', {}],
    [{ errno: 'EIO', text: 'in quarantine', quarantined: true }, 'EIO', 'in quarantine', {}],
    [{ errno: 'ENOTTY', text: 'never sent' }, 'ENOTTY', 'the switch is not available', {}],
    [{ errno: 'EBUSY', text: 'in use' }, 'EBUSY', 'in use', {}],
    [
      { errno: 'EAGAIN', text: 'too many wait', noTurn: 'queue-full', retryAfterMs: 40 },
      'EAGAIN',
      'too many wait',
      { retryAfterMs: 40 },
    ],
  ])('says that it was not sent: %j', async (failure, code, why, more) => {
    const { made, submit } = failing(failure);
    const returnCode = { EIO: 4, ENOTTY: 3, EBUSY: 6, EAGAIN: 5 }[code];
    expect(problemOfRefused(await submit(readPorts))).toStrictEqual({
      code,
      detail: `the command was not sent: ${why}`,
      returnCode,
      ...more,
    });
    const { errno, text } = failure;
    expect(made.records[0]?.body.details).toEqual({ outcome: 'not-sent', failure: { errno, text } });
    await someTurns();
    expect(made.details('count commands').map(([labels]) => labels)).toMatchObject([{ end: 'not-sent' }]);
  });

  const full = { errno: 'EAGAIN', text: 'full', noTurn: 'queue-full' };
  it.each([
    ['many reads that find no room', readPorts, BY_ACME, full, 0],
    ['one that went away', readPorts, BY_ACME, { ...full, noTurn: 'cancelled' }, 1],
    ['one that the end of the broker met', readPorts, BY_ACME, { ...full, errno: 'EIO', noTurn: 'closed' }, 1],
    ['raw ones', rawBytes, BY_OPERATOR, full, 2],
    ['what has an intent', bindPort, BY_ACME, full, 2],
    ['one that was not sent for another reason', readPorts, BY_ACME, { errno: 'EIO', text: 'x' }, 1],
  ] as const)('is counted or recorded alone: %s', async (_what, command, by, failure, records) => {
    const { made, submit } = failing(failure);
    const noted: unknown[] = [];
    Object.assign(made.services.refusals, {
      note: (...details: unknown[]) => {
        noted.push(details);
        return false;
      },
    });
    await submit(command, by);
    expect(made.records).toHaveLength(records);
    if (records === 0) expect(noted).toEqual([['acme', 'user:https://issuer.example#acme-user', 'queue-full']]);
    const limits = 'noTurn' in failure ? [[{ limit: failure.noTurn }]] : [];
    expect(made.details('count limits')).toEqual(limits);
    expect(made.details('count refusals of tenants')).toHaveLength(limits.length);
  });
});

describe('a command that found no room', () => {
  it.each([
    ['is one of many', readPorts, BY_ACME, 0],
    ['is one of many, also where it would have changed something', bindPort, BY_ACME, 0],
    ['is recorded alone where it is raw', rawBytes, BY_OPERATOR, 1],
  ] as const)('%s', async (_what, command, by, records) => {
    const failure = { outcome: 'not-sent', errno: 'EAGAIN', text: 'full', noTurn: 'queue-full' };
    const { made, submit } = handmadePipeline({ device: { execute: async () => ({ kind: 'failed', failure }) } });
    Object.assign(made.services.refusals, { note: () => false });
    expect(problemOfRefused(await submit(command, by))).toMatchObject({ code: 'EAGAIN' });
    expect(made.records).toHaveLength(records);
  });
});

describe('an answer that cannot be believed', () => {
  const disbelieved = {
    code: 'EIO',
    detail: 'the command was executed, but the device answered with bytes that cannot be believed',
    returnCode: 4,
  };
  const note = (text: string) => ({ outcome: 'done', note: `the reply was malformed and was not passed on: ${text}` });

  it('by the protocol is not passed on, and in journal and log', async () => {
    const { made, submit } = handmadePipeline();
    made.answer = () => ({ kind: 'malformed', text: 'layer 0' });
    const answer = await submit(readPorts);
    expect(problemOfRefused(answer)).toStrictEqual(disbelieved);
    expect(made.records[0]?.body.details).toEqual(note('layer 0'));
    const requestId = answer.ok ? '' : answer.problem.requestId;
    expect(made.details('log error')).toEqual([[{ requestId, switch: 'sw0', text: 'layer 0' }, 'malformed reply']]);
    await someTurns();
    expect(made.details('count commands').map(([labels]) => labels)).toMatchObject([{ end: 'malformed' }]);
    expect(made.times('received')).toBe(0);
  });

  it('by its layout taints as well', async () => {
    const { made, submit } = handmadePipeline();
    made.answer = (command) => replied(command, Uint8Array.of(1));
    expect(problemOfRefused(await submit(readPorts))).toStrictEqual(disbelieved);
    expect(made.details('taint')).toMatchObject([['M', { scope: '/switches/sw0' }]]);
    expect(made.records).toHaveLength(1);
  });

  it('of which the rest cannot be read is not passed on', async () => {
    const { made, submit } = handmadePipeline({ view: { readTagList: async () => ({ ok: false, text: 'it went' }) } });
    const part = Uint8Array.from({ length: 16 + 84 }, (_, i) => (i === 4 ? 3 : i === 8 ? 1 : 0));
    made.answer = (command) => replied(command, part);
    const tags: CommandRequest = {
      kind: 'named',
      command: 'dynamic-capacity-list-tags',
      params: { starting_index: 0, max_tags: 9 },
      via: 'port:3',
    };
    expect(problemOfRefused(await submit(tags))).toStrictEqual(disbelieved);
    expect(made.records[0]?.body.details).toEqual(note('it went'));
  });
});

describe('a failure of the broker itself', () => {
  it('over an answer says that the command was executed', async () => {
    const { made, submit } = handmadePipeline();
    const defect = new Error('defect');
    Object.defineProperty(made.runtime, 'pseudonyms', {
      get() {
        throw defect;
      },
    });
    made.posture = { ...made.posture, lockdown: { ...made.posture.lockdown, effective: 'confidentiality' } };
    const answer = await submit(readPorts);
    expect(problemOfRefused(answer)).toStrictEqual({
      code: 'EINTERNAL',
      detail: 'the command was executed, but the broker failed over its answer',
      returnCode: 4,
    });
    expect(made.records[0]?.body.details).toEqual({
      outcome: 'done',
      note: 'the broker failed over the answer, which was not passed on',
    });
    const requestId = answer.ok ? '' : answer.problem.requestId;
    expect(made.details('log error')).toEqual([[{ requestId, err: defect }, 'the broker failed over an answer']]);
    await someTurns();
    expect(made.details('count commands').map(([labels]) => labels)).toMatchObject([{ end: 'defect' }]);
  });

  const broken = (thrown: unknown) => {
    const authenticate = async () => {
      throw thrown;
    };
    return handmadePipeline({ services: { authenticator: { authenticate } } as never });
  };
  const internal = { code: 'EINTERNAL', detail: 'refused: something inside the broker failed', returnCode: 4 };

  it.each([
    [new TypeError('no such thing'), 'TypeError: no such thing'],
    ['a word', 'unknown'],
  ])('refuses, and is in the journal: %s', async (thrown, defect) => {
    for (const door of ['submit', 'explain'] as const) {
      const all = broken(thrown);
      const answer = await all[door](readPorts);
      expect(problemOfRefused(answer)).toStrictEqual(internal);
      const requestId = answer.ok ? '' : answer.problem.requestId;
      expect(all.made.records).toStrictEqual([
        {
          how: 'append',
          kind: 'decision',
          body: { requestId, verdict: 'deny', flags: ['denied'], details: { defect } },
          options: { durable: false },
        },
      ]);
      expect(all.made.details('log error')).toEqual([
        [{ requestId, err: thrown }, 'refused because the broker itself failed'],
      ]);
      expect(all.made.details('count refusals')).toEqual([[{ code: 'EINTERNAL' }]]);
    }
  });

  it('that cannot be recorded either is in the log', async () => {
    const { made, submit } = broken(new Error('x'));
    const full = new Error('full');
    made.unwritable.set('decision', full);
    expect(problemOfRefused(await submit(readPorts))).toStrictEqual(internal);
    expect(made.details('log error').at(-1)).toEqual([{ err: full }, 'the defect could not be recorded either']);
  });

  it('without a journal says that', async () => {
    const { made, submit } = broken(new Error('x'));
    made.journal = 'failed';
    expect(problemOfRefused(await submit(readPorts))).toStrictEqual({
      code: 'EIO',
      detail: 'refused: the journal cannot be written, and nothing is sent unrecorded',
      returnCode: 4,
    });
    expect(made.records).toEqual([]);
  });
});
