import { describe, expect, it } from 'vitest';
import type { CommandRequest } from '../../../src/broker/core-api.ts';
import { handmadePipeline, problemOfRefused, rawBytes, readPorts, someTurns } from '../../support/handmade-pipeline.ts';
import { BY_ACME, BY_OPERATOR } from '../../support/handmade-switch.ts';

// A request that is refused, or taken back, before it reaches its device.

const nowhere = { code: 'EPERM', detail: 'not permitted, or there is no such object', returnCode: 2 };

describe('a request that is refused', () => {
  const over = { limit: 'concurrent', text: 'too many', retryAfterMs: 9 };
  const overQuota = { code: 'EAGAIN', detail: 'too many', returnCode: 5, retryAfterMs: 9 };
  const doors = ['submit', 'explain'] as const;

  it('for its token', async () => {
    for (const door of doors) {
      const error = { code: 'missing', sentence: 'a token is required', cause: 'missing', detail: 'none' };
      const authenticate = async () => ({ ok: false, error });
      const all = handmadePipeline({ services: { authenticator: { authenticate } } as never });
      expect(problemOfRefused(await all[door](readPorts))).toMatchObject({
        code: 'EAUTH',
        detail: 'a token is required',
      });
      expect(all.made.details('count refusals')).toEqual([[{ code: 'EAUTH' }]]);
      expect(all.made.times('place given back')).toBe(0);
    }
  });

  it('has its proof asked for what it is', async () => {
    const purposes: unknown[] = [];
    const { made, submit, explain } = handmadePipeline();
    const { authenticator } = made.services;
    const { authenticate } = authenticator;
    Object.assign(authenticator, {
      authenticate: async (credential: never, purpose: () => unknown) => {
        purposes.push(purpose());
        return authenticate(credential);
      },
    });
    await submit(readPorts);
    await explain(readPorts);
    expect(purposes).toHaveLength(2);
    const [submitted, asked] = purposes.map((purpose) => JSON.stringify(purpose));
    expect(submitted).toContain('commands');
    expect(asked).toContain('decisions');
  });

  it('for want of a place is recorded for a command, or counted', async () => {
    for (const alone of [true, false]) {
      const all = handmadePipeline();
      Object.assign(all.made.services.quotas, { enter: () => ({ ok: false, error: over }) });
      Object.assign(all.made.services.refusals, { note: () => alone });
      expect(problemOfRefused(await all.submit(readPorts))).toStrictEqual(overQuota);
      expect(all.made.records).toHaveLength(alone ? 1 : 0);
      expect(all.made.times('place given back')).toBe(0);
      expect(problemOfRefused(await all.explain(readPorts))).toStrictEqual(overQuota);
      expect(all.made.records).toHaveLength(alone ? 1 : 0);
    }
  });

  it('for want of time gives its place back', async () => {
    for (const door of doors) {
      const ask = () => ({ kind: 'unserved', why: 'queue-full', retryAfterMs: 3 });
      const all = handmadePipeline({ services: { entrance: { ask } } as never });
      expect(problemOfRefused(await all[door](readPorts))).toMatchObject({ code: 'EAGAIN', retryAfterMs: 3 });
      expect(all.made.times('place given back')).toBe(1);
      expect(all.made.records).toHaveLength(door === 'submit' ? 1 : 0);
    }
  });

  it('for a switch that is not there, or on which nothing is his', async () => {
    const { made, pipeline } = handmadePipeline();
    for (const [by, name] of [
      [BY_ACME, 'sw9'],
      [{ token: 'initech', source: 's' }, 'sw0'],
    ] as const) {
      expect(problemOfRefused(await pipeline.submit(by, name, readPorts))).toStrictEqual(nowhere);
      expect(problemOfRefused(await pipeline.explain(by, name, readPorts))).toStrictEqual(nowhere);
    }
    expect(made.records).toHaveLength(2);
    expect(made.records[0]?.body).not.toHaveProperty('switch');
    expect(made.times('turn ended')).toBe(4);
    expect(made.times('place given back')).toBe(4);
  });

  it('while the switch is somebody else’s', async () => {
    const untilFree = async () => ({ errno: 'EBUSY', text: 'in use' });
    const { made, submit, explain } = handmadePipeline({ device: { isHeld: true, untilFree } });
    const inUse = { code: 'EBUSY', detail: 'the command was not sent: in use', returnCode: 6 };
    expect(problemOfRefused(await submit(readPorts))).toStrictEqual(inUse);
    expect(problemOfRefused(await explain(readPorts))).toStrictEqual(inUse);
    expect(made.records).toHaveLength(1);
  });

  it('because it cannot be read', async () => {
    const { made, submit, explain } = handmadePipeline();
    const odd: CommandRequest = { kind: 'named', command: 'no-such' };
    for (const result of [await submit(odd), await explain(odd)]) {
      expect(problemOfRefused(result)).toMatchObject({ code: 'EPARAM', field: 'command' });
    }
    expect(made.records).toHaveLength(1);
  });

  it('by the policy is recorded with what was decided', async () => {
    const { made, submit } = handmadePipeline({ grants: [], disclose: 'none' });
    expect(problemOfRefused(await submit(readPorts))).toStrictEqual(nowhere);
    expect(made.records).toMatchObject([
      {
        kind: 'decision',
        body: { verdict: 'deny', command: 'get-physical-port-state', outward: 'EPERM', switch: 'sw0' },
      },
    ]);
    expect(made.times('take')).toBe(0);
  });

  it('over its quota is recorded with the step, or counted, but raw ones alone', async () => {
    for (const [command, by, records] of [
      [readPorts, BY_ACME, 0],
      [rawBytes, BY_OPERATOR, 1],
    ] as const) {
      const { made, submit } = handmadePipeline();
      Object.assign(made.services.quotas, { take: () => ({ ok: false, error: over }) });
      Object.assign(made.services.refusals, { note: () => false });
      expect(problemOfRefused(await submit(command, by))).toStrictEqual(overQuota);
      expect(made.records).toHaveLength(records);
      if (records === 1) expect(made.records[0]?.body).toMatchObject({ rule: 'concurrent', verdict: 'deny' });
      expect(made.sent).toEqual([]);
      expect(made.details('count limits')).toEqual([[{ limit: 'concurrent' }]]);
      expect(made.details('count refusals of tenants')).toEqual([
        [{ tenant: by === BY_ACME ? 'acme' : 'fabric', limit: 'concurrent' }],
      ]);
    }
  });

  it('for want of a journal leaves no record', async () => {
    const { made, submit } = handmadePipeline();
    made.journal = 'failed';
    expect(problemOfRefused(await submit(readPorts))).toMatchObject({ code: 'EIO' });
    expect(made.records).toEqual([]);
  });
});

describe('a token that is revoked while its command is decided about', () => {
  it('counts when the turn comes', async () => {
    const { made, submit } = handmadePipeline();
    const { revocations } = made.services;
    Object.assign(made.services.authenticator, { again: async () => ({ ok: false }) });
    made.onTurn = () => Object.assign(revocations, { version: 2 });
    expect(problemOfRefused(await submit(readPorts))).toMatchObject({ code: 'EAUTH' });
  });

  it('counts from before the token was looked at', async () => {
    const { made, submit } = handmadePipeline();
    const { authenticator, revocations } = made.services;
    const { authenticate } = authenticator;
    Object.assign(authenticator, {
      again: async () => ({ ok: false }),
      authenticate: async (credential: never) => {
        Object.assign(revocations, { version: 2 });
        return authenticate(credential);
      },
    });
    expect(problemOfRefused(await submit(readPorts))).toMatchObject({ code: 'EAUTH' });
  });
});

describe('a request with a handle', () => {
  /** Waits in front of the device until `go`. */
  function waiting() {
    const all = handmadePipeline();
    let go = (): void => {};
    const gate = new Promise<void>((done) => {
      go = done;
    });
    const { execute } = all.made.runtime.device;
    Object.assign(all.made.runtime.device, {
      execute: async (...details: Parameters<typeof execute>) => {
        await gate;
        return execute(...details);
      },
    });
    return { ...all, go: () => go() };
  }

  it('can be taken back while it waits', async () => {
    const { made, pipeline, submit, go } = waiting();
    const answer = submit(readPorts, BY_ACME, { handle: 'h', deadlineMs: 60_000 });
    await someTurns();
    pipeline.cancel('other');
    pipeline.cancel('h');
    go();
    expect(problemOfRefused(await answer)).toMatchObject({
      code: 'EAGAIN',
      detail: 'the command was not sent: the client went away before it was sent',
    });
    expect(made.sent).toEqual([]);
    expect(made.asker?.deadlineMs).toBeGreaterThan(performance.now());
    expect(made.asker?.deadlineMs).toBeLessThan(performance.now() + 60_001);
  });

  it('is the only one of that handle, and frees it', async () => {
    const { pipeline, submit, go } = waiting();
    const first = submit(readPorts, BY_ACME, { handle: 'h' });
    await someTurns();
    expect(problemOfRefused(await submit(readPorts, BY_ACME, { handle: 'h' }))).toStrictEqual({
      code: 'EPARAM',
      detail: 'the handle of the request is that of another one that is under way',
      returnCode: 2,
    });
    go();
    expect(await first).toMatchObject({ ok: true });
    expect(await submit(readPorts, BY_ACME, { handle: 'h' })).toMatchObject({ ok: true });
    pipeline.cancel('h');
  });

  it('or without one goes on where another is taken back', async () => {
    const { made, pipeline, submit, go } = waiting();
    const answer = submit(readPorts);
    await someTurns();
    pipeline.cancel('h');
    go();
    expect(await answer).toMatchObject({ ok: true });
    expect(made.asker).not.toHaveProperty('deadlineMs');
    expect(made.asker).not.toHaveProperty('cancellation');
  });
});
