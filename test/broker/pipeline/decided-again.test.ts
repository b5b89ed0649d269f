import { describe, expect, it } from 'vitest';
import { dispatch } from '../../../src/broker/pipeline/dispatch.ts';
import { Cancellation } from '../../../src/broker/schedule/index.ts';
import { fakePosture } from '../../support/fake-policy.ts';
import { bind, type Handmade, ports, type Question, rawIsOpen, vendor } from '../../support/handmade-switch.ts';
import { dispatching } from './dispatching.ts';

// A command whose turn has come: what its decision rested on is looked at again, and so is its place among the others.

const changed = {
  code: 'EAGAIN',
  detail: 'what this was about has changed while it waited: ask again',
  returnCode: 5,
  retryAfterMs: 0,
};

describe('what the decision rested on', () => {
  const wider = (made: Handmade) => ({
    posture: () => {
      made.posture = fakePosture({ profile: 'bmc', version: 4 });
    },
    topology: () => {
      made.view.version = 8;
    },
    policy: () => {
      made.policy.current = { ...made.policy.current, id: 'e'.repeat(64) };
    },
  });

  it.each(['posture', 'topology', 'policy'] as const)('is looked at again: another %s', async (what) => {
    const { made, decided, run } = dispatching(ports);
    made.onTurn = wider(made)[what];
    const result = await run();
    expect(result).toMatchObject({ kind: 'answered' });
    expect(result.decision).not.toBe(decided.decision);
    expect(made.sent).toEqual([result.decision.command]);
  });

  it('and stands as it is where nothing has changed', async () => {
    const { decided, run } = dispatching(ports);
    expect((await run()).decision).toBe(decided.decision);
  });

  it('refuses where it denies now, and raises only what was found in the component', async () => {
    const { made, run } = dispatching(vendor, { posture: rawIsOpen });
    const { decide } = made.policy.current;
    made.onTurn = () => {
      made.posture = { ...rawIsOpen, version: 4 };
      made.policy.current = {
        ...made.policy.current,
        decide: (...input) => ({ ...decide(...input), verdict: 'deny', disclosed: false }),
      };
    };
    const result = await run();
    expect(result).toMatchObject({
      kind: 'refused',
      refusal: { code: 'EPERM' },
      decision: { verdict: 'deny' },
    });
    expect(made.sent).toEqual([]);
    expect(made.details('taint')).toHaveLength(3);
  });

  it('raises what it did not raise before, once', async () => {
    const { made, run } = dispatching(vendor, { posture: rawIsOpen });
    const known = { letter: 'R', scope: '/switches/sw0', count: 1 };
    made.onTurn = () => {
      made.posture = { ...rawIsOpen, version: 4, taint: { ...rawIsOpen.taint, counts: [known] as never } };
    };
    expect(await run()).toMatchObject({ kind: 'answered' });
    expect(made.details('taint').map(([letter]) => letter)).toEqual(['J', 'R', 'V', 'J', 'V']);
  });

  it('says to ask again where a CEL was forgotten meanwhile', async () => {
    const { made, run } = dispatching({ named: 'identify', via: 'port:3' });
    const { decide } = made.policy.current;
    const outward = { errno: 'ENOTTY', returnCode: 3, text: 'not offered' } as const;
    const turn = (more: object) => () => {
      made.view.version = 8;
      made.policy.current = {
        ...made.policy.current,
        decide: (...input) => ({ ...decide(...input), verdict: 'deny', outward, ...more }),
      };
    };
    made.onTurn = turn({ needsCel: [] });
    expect(await run()).toMatchObject({ kind: 'refused', refusal: changed });
    made.onTurn = turn({});
    made.view.version = 7;
    expect(await run()).toMatchObject({ kind: 'refused', refusal: { code: 'ENOTTY', detail: 'not offered' } });
    made.onTurn = turn({ needsCel: [], outward: { ...outward, errno: 'EPERM' } });
    made.view.version = 7;
    expect(await run()).toMatchObject({ kind: 'refused', refusal: { code: 'EPERM' } });
  });

  it('is looked at once more when the intent is written', async () => {
    const { made, run } = dispatching(bind);
    const { append } = made.services.journal;
    Object.assign(made.services.journal, {
      append: async (...record: Parameters<typeof append>) => {
        made.posture = fakePosture({ profile: 'bmc', version: 4, underLockdown: 'off', level: 'integrity' });
        made.policy.current = {
          ...made.policy.current,
          decide: (input, gate) => ({ ...decide(input, gate), verdict: 'deny' }),
        };
        return append(...record);
      },
    });
    const { decide } = made.policy.current;
    expect(await run()).toMatchObject({ kind: 'refused', intent: 1, refusal: { code: 'EPERM' } });
    expect(made.sent).toEqual([]);
  });

  it.each([
    ['other bytes', { payload: Uint8Array.of(0, 3, 0, 3, 0xff, 0xff) }, true],
    ['more bytes', { payload: new Uint8Array(7) }, true],
    ['another opcode', { opcode: 0x5202 }, true],
    ['the same, put together anew', {}, false],
  ])('and then is not sent as anything but what the intent says: %s', async (_what, more, isRefused) => {
    const { made, decided, run } = dispatching(bind);
    const { append } = made.services.journal;
    const { decide } = made.policy.current;
    Object.assign(made.services.journal, {
      append: async (...record: Parameters<typeof append>) => {
        made.view.version = 8;
        made.policy.current = {
          ...made.policy.current,
          decide: (...input) => {
            const decision = decide(...input);
            return { ...decision, command: { ...decision.command, ...more } };
          },
        };
        return append(...record);
      },
    });
    expect(await run()).toMatchObject(
      isRefused ? { kind: 'refused', intent: 1, refusal: changed } : { kind: 'answered', intent: 1 },
    );
    expect(made.sent).toHaveLength(isRefused ? 0 : 1);
    expect(decided.decision.command.opcode).toBe(0x5201);
  });
});

describe('its place among the others', () => {
  const listed = (...kept: number[]): Question => ({
    named: 'get-physical-port-state',
    params: { port_id_list: kept },
  });

  it.each([
    ['acme', 'tenants'],
    ['fabric', 'operators'],
  ])('is that of its tenant: %s with %s', async (tenant, lane) => {
    const { made, run } = dispatching({ ...ports, tenant });
    await run();
    expect(made.asker).toStrictEqual({ tenant, lane, footprint: made.asker?.footprint });
  });

  it('is kept no longer than the request wants to wait', async () => {
    const { made, decided } = dispatching(ports);
    const cancellation = new Cancellation();
    await dispatch(made.services, made.request({ deadlineMs: 5, cancellation }), decided);
    expect(made.asker).toMatchObject({ deadlineMs: 5, cancellation });
  });

  it.each([
    [true, changed],
    [false, undefined],
  ])('is lost where it touches more now, on a device that works at several at once (%s)', async (several, refusal) => {
    const { made, decided } = dispatching(listed(3), { device: { ordersByResource: several } });
    const wide = made.decided(listed(3, 7));
    made.onTurn = () => {
      made.view.version = 8;
    };
    const moved = { ...decided, decoded: wide.decoded };
    const result = await dispatch(made.services, made.request(), moved);
    expect(result.kind === 'refused' ? result.refusal : undefined).toEqual(refusal);
  });

  it('is lost where the broker would answer it itself by now', async () => {
    const abort: Question = { named: 'request-abort-background-operation' };
    const { made, run } = dispatching(abort);
    made.running = { tenant: 'acme' };
    made.onTurn = () => {
      made.running = { tenant: 'globex' };
    };
    expect(await run()).toMatchObject({ kind: 'refused', refusal: changed });
    made.onTurn = () => {
      made.running = { tenant: 'acme' };
    };
    expect(await run()).toMatchObject({ kind: 'answered' });
  });
});
