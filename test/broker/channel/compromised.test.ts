import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { readCommandAnswer } from '../../../src/broker/channel/command-answer.ts';
import { coreMethods } from '../../../src/broker/channel/index.ts';
import { toCore, toEdge } from '../../../src/broker/channel/wire.ts';
import { encodeMessage } from '../../../src/cci/index.ts';
import { type HostileEdge, hostile } from '../../support/channel-pair.ts';
import { journalOf, type ShippedBroker, startShippedBroker } from '../../support/shipped-broker.ts';

/** A whole broker, and somebody who has the edge's end of the channel in his hands. */
let broker: ShippedBroker;
/** What reached the switch, opcode by opcode. */
const reached: number[] = [];

beforeAll(async () => {
  broker = await startShippedBroker();
  broker.device.hook = (request, pass) => {
    reached.push(request.opcode);
    return pass();
  };
});
afterAll(() => broker.broker.close());
beforeEach(() => {
  reached.length = 0;
});

const call = (method: string, ...values: readonly unknown[]) =>
  Buffer.concat([
    Buffer.from([coreMethods.indexOf(method as (typeof coreMethods)[number])]),
    Buffer.from(JSON.stringify(values)),
  ]);
const slot = (values: readonly unknown[]) => Buffer.concat([Buffer.from([0, 0]), Buffer.from(JSON.stringify(values))]);
const bind = encodeMessage({
  ...{ category: 'request', tag: 1, opcode: 0x5201, background: false, returnCode: 0, vendorStatus: 0 },
  payload: Uint8Array.from([0, 2, 3, 0, 1, 0]),
} as const);

async function answersOf(edge: HostileEdge, count: number) {
  for (let i = 0; i < 5000 && edge.answers.length < count && edge.violations.length === 0; i++) {
    await new Promise((done) => setTimeout(done, 2));
  }
  return edge.answers;
}

/** Tokens that somebody could make of one that he has seen, without the issuer's key. */
function forgeries(token: string): readonly string[] {
  const [head = '', claims = '', signature = ''] = token.split('.');
  const read = JSON.parse(Buffer.from(claims, 'base64url').toString()) as object;
  const write = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const asFabric = write({ ...read, tenant: 'fabric', sub: 'olga', groups: ['fabric-admins'] });
  return [
    `${head}.${asFabric}.${signature}`,
    `${write({ alg: 'none', typ: 'JWT' })}.${asFabric}.`,
    `${write({ alg: 'HS256', typ: 'JWT' })}.${asFabric}.${signature}`,
    `${head}.${claims}.`,
    `${head}.${claims}`,
    'fabric',
    '',
  ];
}

describe('somebody who has taken over the edge', () => {
  test('is nobody without a token that its issuer signed, and no forgery of a token reaches the switch', async () => {
    for (const token of forgeries(broker.alice.token)) {
      const edge = hostile(broker.broker.core);
      const shown = { token, source: '10.0.0.1:1' };
      edge.frame(toCore.call, 1, call('whoami', shown));
      edge.frame(toCore.slot, 0, slot([shown, 'sw0']));
      edge.frame(toCore.message, 2, Buffer.concat([Buffer.from([0, 0]), bind]));
      edge.frame(toCore.call, 3, call('raiseLockdown', shown, 'confidentiality', 'mine'));
      const answers = await answersOf(edge, 3);
      expect(answers).toHaveLength(3);
      for (const { kind, body } of answers) {
        const result = kind === toEdge.command ? readCommandAnswer(body) : JSON.parse(body.toString());
        expect(result).toMatchObject({ ok: false, problem: { code: 'EAUTH' } });
      }
      edge.channel.close();
    }
    expect(reached).toEqual([]);
  });

  test('with a token that passed through it is whom the token says, and may do what he may', async () => {
    const edge = hostile(broker.broker.core);
    edge.frame(toCore.call, 1, call('whoami', { token: broker.bob.token, source: 'x' }));
    // Of acme, and not of globex, which the token speaks for.
    edge.frame(toCore.slot, 0, slot([{ token: broker.bob.token, source: 'x' }, 'sw0']));
    edge.frame(toCore.message, 2, Buffer.concat([Buffer.from([0, 0]), bind]));
    edge.frame(toCore.call, 3, call('raiseLockdown', { token: broker.bob.token, source: 'x' }, 'integrity', 'mine'));
    const byId = new Map((await answersOf(edge, 3)).map((one) => [one.id, one]));
    expect(JSON.parse(String(byId.get(1)?.body))).toMatchObject({ ok: true, value: { tenant: 'globex' } });
    expect(readCommandAnswer(byId.get(2)?.body ?? Buffer.alloc(5))).toMatchObject({ ok: false });
    expect(JSON.parse(String(byId.get(3)?.body))).toMatchObject({ ok: false, problem: { code: 'EPERM' } });
    expect(reached).toEqual([]);
    edge.channel.close();
  });

  test('finds no request that gives it the journal, a key, the policy or a file', () => {
    // A new name here is a new way into the core: say in docs/threat-model.md what it gives away.
    const words = /journal|record|key|file|read(?!i)|policy|config|path|exec/i;
    expect(coreMethods.filter((method) => words.test(method))).toEqual(['consoleRead', 'reloadPolicy']);
  });

  test('reaches no switch and raises no taint with whatever it sends and no good token', async () => {
    const value = fc.oneof(
      fc.jsonValue({ maxDepth: 3 }),
      fc.constant({ token: 'a.b.c', source: 's' }),
      fc.constant('sw0'),
      fc.constant({ kind: 'named', command: 'bind-vppb', params: JSON.parse('{"__proto__":{"vcs_id":0},"vcs_id":0}') }),
      fc.constant({ kind: 'raw', opcode: 0x5201, payload: { $bytes: 'AAID' } }),
    );
    const shown = fc.constant({ token: 'a.b.c', source: 's' });
    const others = fc.array(value, { maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...coreMethods), shown, others, async (method, first, rest) => {
        const edge = hostile(broker.broker.core);
        edge.frame(toCore.call, 1, call(method, first, ...rest));
        await answersOf(edge, 1);
        for (const { kind, body } of edge.answers) {
          if (method === 'readiness' || method === 'metrics' || method === 'end') continue;
          const result = kind === toEdge.command ? readCommandAnswer(body) : JSON.parse(body.toString());
          expect(result, method).toMatchObject({ ok: false });
        }
        edge.channel.close();
      }),
      { numRuns: 250, seed: 4 },
    );
    expect(reached).toEqual([]);
    const records = await journalOf(broker.broker);
    expect(records.filter(({ kind }) => kind === 'intent')).toEqual([]);
    expect(
      records.flatMap(({ principal }) => principal ?? []).filter((name) => !String(name).endsWith('#bob')),
    ).toEqual([]);
  });
});
