import { afterEach, describe, expect, it } from 'vitest';
import type { CoreApi, OperationView } from '../../src/broker/core-api.ts';
import { Progress } from '../../src/cli/progress.ts';
import { type FakeBroker, fakeBroker } from '../support/command-line.ts';
import { answered, refused } from '../support/fake-core.ts';

let fake: FakeBroker | undefined;
afterEach(() => fake?.close());

const view: OperationView = {
  id: 'op-7',
  switch: 'sw0',
  command: 'unbind-vppb',
  opcode: 0x5202,
  state: 'running',
  percent: 0,
  startedAtMs: 0,
};
const background = answered({
  returnCode: 1,
  returnCodeName: 'background-command-started',
  background: { operation: 'op-7' },
});
const LINE = 'run unbind-vppb --vcs-id 0 --vppb-id 0 --option managed-hot-remove --wait';

async function waited(looks: readonly (Partial<OperationView> | 'EAGAIN' | 'EIO')[], terminal: boolean) {
  let look = 0;
  const operation: CoreApi['operation'] = async () => {
    const seen = looks[Math.min(look++, looks.length - 1)];
    return typeof seen === 'string' ? refused(seen) : { ok: true, value: { ...view, ...seen } };
  };
  fake = await fakeBroker({ submit: async () => background, operation });
  return fake.run(LINE, { terminal });
}

describe('cci run --wait', () => {
  it('draws a bar over itself on a terminal, and ends with how the operation ended', async () => {
    const ran = await waited([{ percent: 0 }, { percent: 35 }, { state: 'done', percent: 100, returnCode: 0 }], true);
    expect(ran.code).toBe(0);
    expect(ran.out).toBe('');
    expect(ran.err).toContain('Ctrl-C ends the waiting, not the operation');
    expect(ran.err).toContain('\runbind-vppb [#######.............]  35%');
    expect(ran.err).toMatch(/\[####################\] 100% .*\noperation op-7 ended: success\n$/);
  });

  it('prints plain lines where there is no terminal, none of them twice', async () => {
    const looks = [0, 3, 4, 35, 36, 90].map((percent) => ({ percent }));
    const ran = await waited([...looks, { state: 'done', percent: 100, returnCode: 0 }], false);
    expect(ran.err).not.toContain('\r');
    expect(ran.err).not.toContain('\u001b');
    const lines = ran.err.trimEnd().split('\n');
    expect(lines.map((line) => /^unbind-vppb (\d+)%/.exec(line)?.[1])).toEqual(['0', '35', '90', '100', undefined]);
  });

  it('goes on when the broker is away for a moment or has no time', async () => {
    const ran = await waited([{ percent: 5 }, 'EIO', 'EAGAIN', { state: 'done', percent: 100, returnCode: 0 }], false);
    expect(ran.code).toBe(0);
    expect(ran.err).toContain('the broker does not answer, asking again');
  });

  it('says once that the host takes longer than is allowed for, and goes on waiting', async () => {
    const late = { percent: 50, overdue: true } as const;
    const ran = await waited([{ percent: 50 }, late, late, { state: 'done', percent: 100, returnCode: 0 }], true);
    expect(ran.err.match(/waits for its host longer/g)).toHaveLength(1);
    expect(ran.code).toBe(0);
  });
});

describe('the progress of an operation that does not get on', () => {
  it('is told again after a while where there is no terminal, and shows how long it has taken', () => {
    let [nowMs, text] = [0, ''];
    const io = {
      out: () => {},
      err: (more: string) => {
        text += more;
      },
      env: {},
      outIsTerminal: false,
      errIsTerminal: false,
      untilTold: () => AbortSignal.abort(),
    };
    const progress = new Progress(io, () => nowMs);
    for (; nowMs <= 130_000; nowMs += 1000) progress.show(view);
    progress.end();
    const lines = text.trimEnd().split('\n');
    expect(lines[0]).toBe('unbind-vppb 0% 0.0 s');
    expect(lines.length).toBeGreaterThan(5);
    expect(lines.length).toBeLessThan(12);
    expect(lines.at(-1)).toMatch(/^unbind-vppb 0% 2 min \d+ s$/);
  });
});

describe('--deadline', () => {
  it('goes along with the command, in milliseconds', async () => {
    fake = await fakeBroker();
    expect((await fake.run('run identify --deadline 2s')).code).toBe(0);
    expect((await fake.run('raw 0xc010 --deadline 50ms')).code).toBe(0);
    expect(fake.core.calls.map((call) => call.arguments?.[0])).toMatchObject([
      { deadlineMs: 2000 },
      { deadlineMs: 50 },
    ]);
  });

  it.each(['0s', '11m', '5', 'soon'])('%s is refused before anything is sent', async (span) => {
    fake = await fakeBroker();
    expect((await fake.run(`run identify --deadline ${span}`)).code).toBe(2);
    expect(fake.core.calls).toEqual([]);
  });
});

describe('cci whoami', () => {
  it('shows the limits of the tenant and what is left of them', async () => {
    const base = await fakeBroker();
    const me = await base.core.whoami({ token: 'good.token.sig', source: '' });
    await base.close();
    if (!me.ok) throw new Error('no principal');
    const limits = {
      weight: 4,
      concurrent: { limit: 32, used: 3 },
      commandsPerSecond: { limit: 100, burst: 200, left: 150 },
      bytesPerSecond: { limit: 5000, left: 10 },
      background: { limit: 2, used: 1 },
      classes: { raw: { concurrent: { limit: 1, used: 0 }, commandsPerSecond: { limit: 1, burst: 1, left: 0 } } },
    };
    fake = await fakeBroker({ whoami: async () => ({ ok: true, value: { ...me.value, limits } }) });
    const { out } = await fake.run('whoami');
    for (const line of [
      /weight +4\n/,
      /under way +3 of 32\n/,
      /commands +100 a second, 150 of 200 left\n/,
      /bytes +5000 a second, 10 left\n/,
      /background +1 of 2\n/,
      /raw +1 a second, 0 of 1 left; 0 of 1 under way\n/,
    ]) {
      expect(out).toMatch(line);
    }
  });
});
