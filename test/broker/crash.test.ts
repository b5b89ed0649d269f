import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { journalRecords } from '../support/journal-records.ts';
import { killedAt } from '../support/killed-child.ts';

const CONFIG = new URL('../../config/broker.yaml', import.meta.url).pathname;
const CHILD = new URL('../support/crash-child.ts', import.meta.url).pathname;
/** Kills in one run; more with CRASH_KILLS. */
const KILLS = Number(process.env.CRASH_KILLS ?? 12);

interface Life {
  readonly sent: number;
  readonly taintAtStart: string;
  readonly tainted: boolean;
}

/** One life of the broker: killed at some moment after it was ready, up to fifteen commands later. */
async function live(state: string): Promise<Life> {
  const lines = await killedAt(CHILD, [CONFIG, state], { behind: 'ready', lines: 30, ms: 8 });
  const taint = lines.find((line) => line.startsWith('taint '));
  return {
    sent: lines.filter((line) => line.startsWith('sent ')).length,
    taintAtStart: taint?.split(' ')[1] ?? '?',
    tainted: lines.includes('tainted J'),
  };
}

describe('kill -9 at any moment', () => {
  it('loses no record of a command that was sent, no taint, and leaves a journal that can be continued', {
    timeout: KILLS * 10_000,
  }, async () => {
    const state = await mkdtemp(join(tmpdir(), 'cci-crash-'));
    try {
      let sent = 0;
      let tainted = false;
      let unknown = 0;
      for (let kill = 0; kill < KILLS; kill++) {
        const life = await live(state);
        // What was tainted in an earlier life is tainted at the start of this one.
        if (tainted) expect(life.taintAtStart).toContain('J');
        tainted ||= life.tainted;
        sent += life.sent;
        const all = await journalRecords(state);
        const intents = all.filter((r) => r.kind === 'intent' && (r.opcode === 0x5201 || r.opcode === 0x5202));
        expect(intents.length).toBeGreaterThanOrEqual(sent);
        // Of all lives but the last every intent has an outcome by now, if need be `unknown`.
        const start = all.findLastIndex((r) => r.kind === 'start');
        const outcomes = new Set(all.filter((r) => r.kind === 'outcome').map((r) => r.intent));
        const open = all.slice(0, start).filter((r) => r.kind === 'intent' && !outcomes.has(r.seq));
        expect(open).toEqual([]);
        unknown = all.filter((r) => r.kind === 'outcome' && r.outcome === 'unknown').length;
        all.forEach((record, i) => {
          expect(record.seq).toBe(i + 1);
          expect(record.prev).toBe(i === 0 ? '0'.repeat(64) : all[i - 1]?.hash);
        });
      }
      expect(sent).toBeGreaterThan(KILLS);
      console.info(`${KILLS} kills, ${sent} state-changing commands sent, ${unknown} with an unknown outcome`);
    } finally {
      await rm(state, { recursive: true, force: true });
    }
  });
});
