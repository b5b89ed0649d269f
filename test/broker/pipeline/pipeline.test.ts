import { describe, expect, it } from 'vitest';
import type { CommandRequest } from '../../../src/broker/core-api.ts';
import { problemOf } from '../../../src/broker/pipeline/index.ts';
import { replied } from '../../support/handmade-bytes.ts';
import {
  bindPort,
  handmadePipeline,
  portList,
  problemOfRefused,
  rawBytes,
  readPorts,
  someTurns,
} from '../../support/handmade-pipeline.ts';
import { BY_OPERATOR } from '../../support/handmade-switch.ts';

// A request from its token to its answer, and what is left of it.

const abort: CommandRequest = { kind: 'named', command: 'request-abort-background-operation' };
const status: CommandRequest = { kind: 'named', command: 'background-operation-status' };
const ID = expect.stringMatching(/^[0-9a-f-]{36}$/) as string;

describe('a read', () => {
  it('is answered, recorded, counted behind its answer, and gives back what it took', async () => {
    const { made, submit } = handmadePipeline();
    const answer = await submit(readPorts);
    expect(answer).toMatchObject({ ok: true, value: { requestId: ID, payload: portList } });
    expect(made.records).toMatchObject([
      { kind: 'decision', how: 'note', body: { verdict: 'allow', returnCodes: [0], source: '192.0.2.1:5' } },
    ]);
    for (const time of ['durationMs', 'queueMs', 'deviceMs']) expect(made.records[0]?.body).toHaveProperty(time);
    const done = made.done.map(([what]) => what);
    expect(done).toEqual([
      'take',
      'turn ended',
      'awake',
      'saved',
      'awake',
      'received',
      'pass given back',
      'turn ended',
      'place given back',
    ]);
    expect(made.details('received')).toEqual([[20]]);
    await someTurns();
    const labels = { class: 'allowlisted', end: 'done' };
    expect(made.details('count commands')).toEqual([[{ switch: 'sw0', ...labels }]]);
    expect(made.details('count commands of tenants')).toEqual([[{ tenant: 'acme', ...labels }]]);
    expect(made.times('count unaudited')).toBe(0);
  });

  it('is timed from when it came', async () => {
    const { made, submit } = handmadePipeline();
    made.answer = (command) => {
      made.nowMs += 250;
      return replied(command, portList);
    };
    await submit(readPorts);
    await someTurns();
    expect(made.details('count durations')).toEqual([[{ class: 'allowlisted' }, 0.25]]);
  });

  it('that is repeated is neither decoded nor decided anew, and recorded each time', async () => {
    const { made, submit } = handmadePipeline();
    let [decided, decoded] = [0, 0];
    const { decide, commands } = made.policy.current;
    Object.assign(made.policy.current, {
      commands: {
        ...commands,
        rowBySlug: (slug: string) => {
          decoded++;
          return commands.rowBySlug(slug);
        },
      },
      decide: (...input: Parameters<typeof decide>) => {
        decided++;
        return decide(...input);
      },
    });
    for (let i = 0; i < 3; i++)
      expect(await submit(readPorts)).toMatchObject({ ok: true, value: { payload: portList } });
    expect([decided, decoded]).toEqual([1, 1]);
    expect(made.records).toHaveLength(3);
    expect(new Set(made.records.map(({ options }) => options.prepared)).size).toBe(1);
  });

  it('that the broker answers itself asks no device, and says so', async () => {
    const { made, submit } = handmadePipeline();
    expect(await submit(status)).toMatchObject({ ok: true, value: { returnCode: 0 } });
    expect(made.sent).toEqual([]);
    expect(made.records[0]?.body.details).toMatchObject({
      outcome: 'done',
      note: 'answered by the broker; the device was not asked',
    });
    await submit(readPorts);
    expect(made.records[1]?.body.details).toEqual({ outcome: 'done' });
  });
});

describe('a change', () => {
  it('has intent and outcome, and what it moves is expected while it goes on', async () => {
    const { made, submit } = handmadePipeline();
    expect(await submit(bindPort)).toMatchObject({ ok: true });
    expect(made.records.map(({ kind }) => kind)).toEqual(['intent', 'outcome']);
    expect(made.records[1]?.body).toMatchObject({ intent: 1, outcome: 'done', returnCodes: [0] });
    expect(made.done.map(([what]) => what)).toContain('expect');
    expect(made.details('over')).toEqual([[true]]);
  });

  it('that nobody can write down beforehand is refused', async () => {
    const expectIt = async () => {
      throw new Error('full');
    };
    const { made, submit } = handmadePipeline({ view: { watcher: { expect: expectIt } } });
    expect(problemOfRefused(await submit(bindPort))).toMatchObject({ code: 'EIO' });
    expect(made.sent).toEqual([]);
    expect(made.records).toMatchObject([{ kind: 'decision', body: { command: 'bind-vppb', outward: 'EIO' } }]);
  });

  it('that is refused after its intent is recorded as not sent, with the reason', async () => {
    const { made, submit } = handmadePipeline();
    const { append } = made.services.journal;
    Object.assign(made.services.journal, {
      append: async (...record: Parameters<typeof append>) => {
        if (record[0] === 'intent') made.journal = 'failed';
        return append(...record);
      },
    });
    expect(problemOfRefused(await submit(bindPort))).toMatchObject({ code: 'EIO' });
    expect(made.records.map(({ kind }) => kind)).toEqual(['intent', 'outcome']);
    expect(made.records[1]?.body).toMatchObject({
      outcome: 'not-sent',
      intent: 1,
      details: {
        note: 'refused before it was sent: refused: the journal cannot be written, and nothing is sent unrecorded',
      },
    });
    expect(made.details('over')).toEqual([[false]]);
  });

  it('of which nobody can say whether it was executed tells its caller to look', async () => {
    const { made, submit } = handmadePipeline();
    made.answer = () => ({ kind: 'failed', failure: { outcome: 'unknown', errno: 'ETIMEDOUT', text: 'no reply' } });
    expect(problemOfRefused(await submit(bindPort))).toStrictEqual({
      code: 'ETIMEDOUT',
      detail: 'the switch did not answer: whether the command was executed is unknown (look before you repeat it)',
      returnCode: 4,
    });
    expect(made.records[1]?.body).toMatchObject({ outcome: 'unknown', flags: ['unknown-outcome'] });
    expect(problemOfRefused(await submit(readPorts)).detail).toBe(
      'the switch did not answer: whether the command was executed is unknown (it changes nothing)',
    );
    await someTurns();
    expect(made.details('count commands').map(([labels]) => labels)).toMatchObject([
      { end: 'unknown' },
      { end: 'unknown' },
    ]);
  });

  it('whose outcome cannot be recorded says so, and leaves taint A', async () => {
    const { made, submit } = handmadePipeline();
    made.unwritable.set('outcome', new Error('full'));
    expect(problemOfRefused(await submit(bindPort))).toStrictEqual({
      code: 'EIO',
      detail: 'the command was executed, but its outcome could not be recorded: the journal has its intent only',
      returnCode: 4,
    });
    expect(made.details('taint').map(([letter]) => letter)).toEqual(['A']);
  });
});

describe('a raw command', () => {
  it('is in the log and in the counts before its answer', async () => {
    const { made, submit } = handmadePipeline();
    const answer = await submit(rawBytes, BY_OPERATOR);
    if (!answer.ok) throw new Error(answer.problem.detail);
    expect(made.details('log warn')).toEqual([
      [
        {
          requestId: answer.value.requestId,
          principal: 'user:https://issuer.example#fabric-user',
          command: 'opcode:0xc010',
          end: 'done',
        },
        'unaudited command',
      ],
    ]);
    expect(made.times('count unaudited')).toBe(0);
    await someTurns();
    expect(made.details('count unaudited')).toEqual([[{ switch: 'sw0' }]]);
  });
});

describe('what is counted behind an answer', () => {
  it('and cannot be, is in the log, and the answer stands', async () => {
    const { made, submit } = handmadePipeline();
    const error = new Error('no such label');
    Object.assign(made.services.metrics.commands, {
      inc: () => {
        throw error;
      },
    });
    expect(await submit(readPorts)).toMatchObject({ ok: true });
    await someTurns();
    expect(made.details('log error')).toEqual([[{ err: error }, 'what was counted is lost']]);
  });
});

describe('the answer to "may I?"', () => {
  it('is the decision, and nothing is sent, recorded or tainted', async () => {
    const { made, explain } = handmadePipeline();
    expect(await explain(rawBytes, BY_OPERATOR)).toMatchObject({
      ok: true,
      value: { requestId: ID, verdict: 'allow' },
    });
    expect(await explain(bindPort)).toMatchObject({ value: { verdict: 'allow', command: 'bind-vppb' } });
    expect(made.sent).toEqual([]);
    expect(made.records).toEqual([]);
    expect(made.done.map(([what]) => what)).toEqual([
      'turn ended',
      'place given back',
      'turn ended',
      'place given back',
    ]);
  });

  it('is no where the command would be refused', async () => {
    const { explain } = handmadePipeline({ grants: [] });
    expect(await explain(abort)).toMatchObject({ value: { verdict: 'deny', outward: { code: 'EPERM' } } });
  });
});

describe('a refusal for the caller', () => {
  it('has what is there, and nothing of what is for the journal alone', () => {
    const least = { code: 'EPERM', detail: 'no', returnCode: 2 } as const;
    expect(problemOf({ id: 'r' }, { ...least, limit: 'rate' })).toStrictEqual({ ...least, requestId: 'r' });
    const most = { reasons: [], field: 'x', retryAfterMs: 0, dpop: { error: 'use_dpop_nonce' } } as const;
    expect(problemOf({ id: 'r' }, { ...least, ...most })).toStrictEqual({ ...least, ...most, requestId: 'r' });
  });
});
