import { describe, expect, it } from 'vitest';
import type { CommandRequest } from '../../../src/broker/core-api.ts';
import { admit, withinQuota } from '../../../src/broker/pipeline/admit.ts';
import { Handmade } from '../../support/handmade-switch.ts';

const MOST = 1 << 20;
const raw = (bytes: number): CommandRequest => ({ kind: 'raw', opcode: 1, payload: new Uint8Array(bytes) });
const message = (bytes: number): CommandRequest => ({ kind: 'message', bytes: new Uint8Array(bytes) });
const over = { limit: 'concurrent', text: 'at most 4 at once', retryAfterMs: 100 };
const overQuota = {
  code: 'EAGAIN',
  detail: 'at most 4 at once',
  returnCode: 5,
  retryAfterMs: 100,
  limit: 'concurrent',
};

describe('a request', () => {
  it.each([
    ['by name', { kind: 'named', command: 'identify' } as CommandRequest],
    ['raw, as large as there may be', raw(MOST)],
    ['a message, as large as there may be', message(MOST)],
  ])('%s has a place, which is given back', (_what, request) => {
    const entered: string[] = [];
    let left = 0;
    const quotas = {
      enter: (tenant: string) => {
        entered.push(tenant);
        return { ok: true, value: () => left++ };
      },
    };
    const place = admit(quotas as never, 'acme', request);
    expect(entered).toEqual(['acme']);
    if (place.ok) place.value();
    expect(left).toBe(1);
  });

  it.each([raw(MOST + 1), message(MOST + 1)])('that is larger takes no place: %#', (request) => {
    const quotas = {
      enter: () => {
        throw new Error('asked');
      },
    };
    expect(admit(quotas as never, 'acme', request)).toEqual({
      ok: false,
      error: { code: 'EINVAL', detail: 'a payload has at most 1048576 bytes', returnCode: 0x16 },
    });
  });

  it('is turned away where its tenant has too many, and told when to ask again', () => {
    const quotas = { enter: () => ({ ok: false, error: over }) };
    expect(admit(quotas as never, 'acme', raw(1))).toEqual({ ok: false, error: overQuota });
  });
});

describe('a command that everything else allows', () => {
  const made = new Handmade();
  const ports = made.decided({ named: 'get-physical-port-state', params: { port_id_list: [3] } });
  const bind = made.decided({
    named: 'bind-vppb',
    params: { vcs_id: 0, vppb_id: 2, physical_port_id: 3, ld_id: 65535 },
  });

  it.each([
    ['a read', ports, { class: 'allowlisted', bytes: 2, mayRunOn: false }],
    ['what may run on', bind, { class: 'audited', bytes: 6, mayRunOn: true }],
  ])('asks its quota for what it needs: %s', (_what, allowed, demand) => {
    const asked: unknown[] = [];
    const pass = { received: () => {}, end: () => {} };
    const quotas = {
      take: (...details: unknown[]) => {
        asked.push(details);
        return { ok: true, value: pass };
      },
    };
    expect(withinQuota(quotas as never, allowed)).toEqual({ ok: true, value: pass });
    expect(asked).toEqual([['acme', demand]]);
  });

  it('is refused beyond it, as the last step of the decision that the journal has', () => {
    const before = { step: 'scope', rule: 'x', errno: 'EPERM', text: 'earlier' } as const;
    const decision = { ...ports.decision, reasons: [before] };
    const quotas = { take: () => ({ ok: false, error: over }) };
    expect(withinQuota(quotas as never, { ...ports, decision })).toEqual({
      ok: false,
      error: {
        refusal: overQuota,
        decision: {
          ...ports.decision,
          verdict: 'deny',
          reasons: [before, { step: 'quota', errno: 'EAGAIN', rule: 'concurrent', text: 'at most 4 at once' }],
        },
      },
    });
  });
});
