import { describe, expect, test } from 'vitest';
import { ask, type Question, verdictOf } from './ask.ts';

const memory = { first_dword_byte_enable: 15, last_dword_byte_enable: 15, transaction_type: 'read' };
const read = (port_id: number): Question => ({
  named: 'send-ld-cxl-io-memory-request',
  params: {
    port_id,
    request_control: memory,
    ld_id: 0,
    transaction_length: 4,
    transaction_address: '0x0',
    transaction_data: '',
  },
});
const unbind = (vcs_id: number, vppb_id: number): Question => ({
  named: 'unbind-vppb',
  params: { vcs_id, vppb_id, option: 'surprise-hot-remove' },
});

/** What leads nowhere, by a picture of the switch that is known. */
const nowhere: readonly (readonly [string, Question])[] = [
  ['a tunnel to a port that is not there', { opcode: 0x5400, via: 'port:200' }],
  ['a request to a port that is not there', read(200)],
  ['an unbind in a VCS that is not there', unbind(9, 0)],
  ['an unbind of a vPPB that is not there', unbind(0, 200)],
];

const refused = 'EBUSY target-unknown -> EBUSY 6';

describe('what leads nowhere', () => {
  test.each(nowhere)('%s: the switch itself says so to who may name what does not exist', (_what, question) => {
    const { decision } = ask({ ...question, tenant: 'fabric' });
    expect(decision.reasons.map(({ rule }) => rule)).not.toContain('target-unknown');
  });

  test.each(nowhere)('%s: nobody else is told more than that it is not his', (_what, question) => {
    expect(verdictOf(ask(question))).toMatch(/-> EPERM 2$/);
  });

  test.each(nowhere)('%s: while the picture is not known, it may be there', (_what, question) => {
    const { decision } = ask({ ...question, tenant: 'fabric', topology: { known: false } });
    expect(decision.reasons.map(({ rule }) => rule)).toContain('target-unknown');
  });

  test('an empty port is known to be one', () => {
    const question: Question = { opcode: 0x5400, via: 'port:6', tenant: 'fabric' };
    const empty = ask({
      ...question,
      topology: { ports: new Map([[6, { id: 6, role: 'dsp', device: 'none', ldCount: 0 }]]) } as never,
    });
    expect(empty.decision.reasons.map(({ rule }) => rule)).not.toContain('target-unknown');
  });

  test('a VCS that could not be read may be there', () => {
    expect(verdictOf(ask({ ...unbind(1, 0), tenant: 'fabric', topology: { vcss: new Map() } as never }))).toBe(refused);
  });
});
