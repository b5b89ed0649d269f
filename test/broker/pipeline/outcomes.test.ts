import { describe, expect, it } from 'vitest';
import { JournalError } from '../../../src/broker/journal/index.ts';
import type { Decided } from '../../../src/broker/pipeline/context.ts';
import { began } from '../../../src/broker/pipeline/course.ts';
import { recordOutcome, recordRefusal } from '../../../src/broker/pipeline/record.ts';
import { Handmade, type HandmadeOptions, type Question, rawIsOpen } from '../../support/handmade-switch.ts';
import { posture, read, who } from './expected-records.ts';

// What the journal holds of how a command ended.

const ports: Question = { named: 'get-physical-port-state', params: { port_id_list: [3, 4] } };
const bind: Question = {
  named: 'bind-vppb',
  params: { vcs_id: 0, vppb_id: 2, physical_port_id: 3, ld_id: 65535 },
};
const vendor: Question = { opcode: 0xc010, payload: Uint8Array.of(1, 2), raw: true, tenant: 'fabric' };
const lost = { outcome: 'unknown', errno: 'ETIMEDOUT', text: 'no reply' } as const;

function setup(question: Question, options: HandmadeOptions = {}, more: Partial<Decided> = {}) {
  const made = new Handmade(options);
  const decided = made.decided(question, more);
  const request = made.request();
  return { made, decided, request };
}

const refusal = { code: 'EPERM', detail: 'no such object', returnCode: 2 } as const;

describe('an outcome', () => {
  it('after an intent tells its end alone, and nobody waits for it', async () => {
    const { made, decided, request } = setup(bind);
    await recordOutcome(made.services, request, decided, decided.decision, {
      outcome: 'done',
      intent: 17,
      returnCodes: [0, 6],
    });
    expect(made.records).toStrictEqual([
      {
        how: 'note',
        kind: 'outcome',
        body: { ...who, intent: 17, outcome: 'done', returnCodes: [0, 6], posture, flags: [] },
        options: { lost: expect.any(Function) },
      },
    ]);
  });

  it('that nobody knows is flagged, with what failed', async () => {
    const { made, decided, request } = setup(bind);
    const { text, errno } = lost;
    const ended = { outcome: 'unknown', failure: lost, note: 'look' } as const;
    await recordOutcome(made.services, request, decided, decided.decision, { ...ended, intent: 17 });
    expect(made.records[0]?.body).toMatchObject({ flags: ['unknown-outcome'] });
    expect(made.records[0]?.body).not.toHaveProperty('returnCodes');
    expect(made.records[0]?.body.details).toStrictEqual({ failure: { errno, text }, note: 'look' });
    await recordOutcome(made.services, request, decided, decided.decision, { ...ended, intent: undefined });
    expect(made.records[1]).toMatchObject({ kind: 'decision', how: 'append', body: { flags: ['unknown-outcome'] } });
    expect(made.records[1]?.body.details).toStrictEqual({ outcome: 'unknown', failure: { errno, text }, note: 'look' });
  });

  it('that could not be made after all leaves a gap', async () => {
    const { made, decided, request } = setup(bind);
    await recordOutcome(made.services, request, decided, decided.decision, { outcome: 'done', intent: 17 });
    made.records[0]?.options.lost?.(new JournalError('invalid', 'x'));
    expect(made.done.map(([what, letter]) => [what, letter])).toContainEqual(['taint', 'A']);
  });

  it('without an intent is the whole of it in one record', async () => {
    const { made, decided, request } = setup(ports);
    began(request, made.runtime);
    await recordOutcome(made.services, request, decided, decided.decision, {
      outcome: 'done',
      intent: undefined,
      returnCodes: [0],
    });
    expect(made.records).toStrictEqual([
      {
        how: 'append',
        kind: 'decision',
        body: {
          ...who,
          ...read,
          returnCodes: [0],
          durationMs: expect.any(Number),
          flags: [],
          details: { outcome: 'done' },
        },
        options: { durable: false },
      },
    ]);
  });

  it('waits for the disk while too much waits for it, and only while it can be written', async () => {
    const end = { outcome: 'done', intent: 17 } as const;
    for (const [pendingBytes, journal, flushes] of [
      [(4 << 20) + 1, 'open', 1],
      [4 << 20, 'open', 0],
      [5 << 20, 'failed', 0],
    ] as const) {
      const { made, decided, request } = setup(bind);
      Object.assign(made, { pendingBytes, journal });
      await recordOutcome(made.services, request, decided, decided.decision, end);
      expect(made.times('flush')).toBe(flushes);
      expect(made.records).toHaveLength(1);
    }
  });
});

describe('the record of a read that is repeated', () => {
  const end = { outcome: 'done', intent: undefined, returnCodes: [0] } as const;
  const repeated = (more: (decided: Decided, made: Handmade) => Partial<Decided> = () => ({})) => {
    const { made, decided, request } = setup(ports);
    began(request, made.runtime);
    const repeat = { decoded: decided.decoded, decision: decided.decision } as NonNullable<Decided['repeat']>;
    return { made, request, repeat, decided: { ...decided, repeat, ...more(decided, made) } };
  };

  it('has what is the same each time made once', async () => {
    const { made, request, repeat, decided } = repeated();
    for (let i = 0; i < 2; i++) await recordOutcome(made.services, request, decided, decided.decision, end);
    const [first, second] = made.records;
    expect(first).toMatchObject({
      how: 'note',
      kind: 'decision',
      options: { prepared: repeat.record, lost: expect.any(Function) },
    });
    expect(first?.body).toStrictEqual({
      requestId: 'r-1',
      source: '192.0.2.1:5',
      switch: 'sw0',
      verdict: 'allow',
      returnCodes: [0],
      durationMs: expect.any(Number),
      details: { outcome: 'done' },
    });
    expect(second?.options.prepared).toBe(first?.options.prepared);
    const { requestId, source, switch: name, ...caller } = who;
    const { verdict, ...command } = read;
    expect([requestId, source, name, verdict]).toHaveLength(4);
    expect(JSON.parse(`{${repeat.record?.text}}`)).toEqual({ ...caller, ...command, flags: [] });
  });

  it('is made anew where anything of it may be another', async () => {
    const other: readonly ((made: Handmade, decided: Decided) => Parameters<typeof recordOutcome>[4] | undefined)[] = [
      () => ({ ...end, outcome: 'unknown' }),
      () => ({ ...end, failure: lost }),
      (made) => {
        made.posture = { ...made.posture, version: 4 };
        return undefined;
      },
    ];
    for (const change of other) {
      const { made, request, decided } = repeated();
      const ended = change(made, decided) ?? end;
      await recordOutcome(made.services, request, decided, decided.decision, ended);
      expect(made.records[0]).toMatchObject({ how: 'append', kind: 'decision' });
    }
    const older = repeated();
    older.made.posture = { ...older.made.posture, version: 4 };
    await recordOutcome(older.made.services, older.made.request(), older.decided, older.decided.decision, end);
    expect(older.made.records[0]).toMatchObject({ how: 'append' });
    const { made, request, decided } = repeated();
    await recordOutcome(made.services, request, decided, { ...decided.decision }, end);
    const { repeat: _none, ...without } = decided;
    await recordOutcome(made.services, request, without, decided.decision, end);
    expect(made.records.map(({ how }) => how)).toEqual(['append', 'append']);
  });

  it('is made anew where the posture has changed on the way, even if it is as it was', async () => {
    const { made, decided } = repeated();
    const request = made.request({ id: 'r-2' });
    made.posture = { ...made.posture, version: 2 };
    began(request, made.runtime);
    made.posture = { ...made.posture, version: 3 };
    await recordOutcome(made.services, request, decided, decided.decision, end);
    expect(made.records[0]).toMatchObject({ how: 'append', body: { postureBefore: { version: 2 } } });
  });

  it('waits for the disk as any outcome does', async () => {
    const { made, request, decided } = repeated();
    made.pendingBytes = 5 << 20;
    await recordOutcome(made.services, request, decided, decided.decision, end);
    expect(made.times('flush')).toBe(1);
  });
});

describe('a refusal', () => {
  it('of a request that nothing is known of has its caller and what he was told', async () => {
    const { made, request } = setup(ports);
    await recordRefusal(made.services, request, made.principal('acme'), refusal);
    const { switch: _none, ...caller } = who;
    expect(made.records).toStrictEqual([
      {
        how: 'append',
        kind: 'decision',
        body: {
          ...caller,
          verdict: 'deny',
          outward: 'EPERM',
          flags: ['denied'],
          details: { said: 'no such object' },
        },
        options: { durable: false },
      },
    ]);
  });

  it('of a command has everything that stands against it, and its flags once', async () => {
    const { made, decided, request } = setup(vendor, { posture: rawIsOpen, grants: [] });
    await recordRefusal(made.services, request, decided.principal, refusal, decided);
    expect(made.records[0]?.body).toMatchObject({
      command: 'opcode:0xc010',
      verdict: 'deny',
      outward: 'EPERM',
      switch: 'sw0',
      flags: ['denied', 'unaudited', 'cross-tenant'],
      details: { said: 'no such object' },
    });
    const allowed = { ...decided, decision: { ...decided.decision, verdict: 'allow' } } as const;
    await recordRefusal(made.services, request, decided.principal, refusal, allowed);
    expect(made.records[1]?.body).toMatchObject({ verdict: 'deny', flags: ['denied', 'unaudited', 'cross-tenant'] });
  });

  it('waits for the disk sooner than outcomes do', async () => {
    for (const [pendingBytes, flushes] of [
      [(1 << 20) + 1, 1],
      [1 << 20, 0],
    ] as const) {
      const { made, request } = setup(ports);
      made.pendingBytes = pendingBytes;
      await recordRefusal(made.services, request, made.principal('acme'), refusal);
      expect(made.times('flush')).toBe(flushes);
    }
  });
});
