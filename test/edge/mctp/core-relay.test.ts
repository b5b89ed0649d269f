import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CciMessage, decodeResponseMessage, encodeMessage, fromHex } from '../../../src/cci/index.ts';
import { coreRelay, expiryOf, FileToken, isToken, type Relay } from '../../../src/edge/mctp/index.ts';
import { type Rehearsal, startRehearsal } from './rehearsal.ts';

let rehearsal: Rehearsal;
beforeAll(async () => {
  rehearsal = await startRehearsal();
});
afterAll(async () => rehearsal[Symbol.asyncDispose]());

const asking = () => ({ source: '127.0.0.1:9', gone: new AbortController().signal, deadlineMs: 1000 });

async function ask(relay: Relay, opcode: number, payload = ''): Promise<CciMessage> {
  const message = encodeMessage({
    category: 'request',
    tag: 9,
    opcode,
    background: false,
    returnCode: 0,
    vendorStatus: 0,
    payload: fromHex(payload) ?? new Uint8Array(0),
  });
  const reply = decodeResponseMessage(await relay(message, asking()));
  if (!reply.ok) throw new Error(reply.error.message);
  expect(reply.value).toMatchObject({ tag: 9, opcode });
  return reply.value;
}

/** A token source that a test turns the pages of. */
function pages(...tokens: string[]) {
  return {
    current: () => tokens[0] ?? '',
    renew: async () => {
      if (tokens.length > 1) tokens.shift();
      return tokens[0] ?? '';
    },
  };
}

describe('a listener speaks for one caller', () => {
  it('whose token the core verifies', async () => {
    const relay = coreRelay(rehearsal.broker.core, {
      switch: 'sw0',
      tenant: 'fabric',
      tokens: pages(await rehearsal.token('fabric')),
    });
    expect((await ask(relay, 0x5101, '0104')).returnCode).toBe(0);
  });

  it.each([
    ['no token', async () => '', 'there is no token'],
    ['nonsense', async () => 'a.b.c', 'the token is refused'],
    ['the token of another tenant', async () => rehearsal.token('guest'), 'speaks for tenant `guest`'],
  ])('and refuses everything with an answer for %s, saying why once', async (_what, token, why) => {
    const problems: string[] = [];
    const relay = coreRelay(rehearsal.broker.core, {
      switch: 'sw0',
      tenant: 'fabric',
      tokens: pages(await token()),
      onProblem: (text) => problems.push(text),
    });
    rehearsal.requests.length = 0;
    expect((await ask(relay, 0x5101, '0104')).returnCode).toBe(2);
    expect((await ask(relay, 0x5101, '0104')).returnCode).toBe(2);
    expect(problems.length).toBe(1);
    expect(problems[0]).toContain(why);
    expect(rehearsal.requests).toEqual([]);
  });

  it('and no other of the same tenant, where one is named', async () => {
    const tokens = pages(await rehearsal.token('fabric'));
    const [self, other] = ['tool', 'somebody'].map((name) =>
      coreRelay(rehearsal.broker.core, {
        switch: 'sw0',
        tenant: 'fabric',
        principal: `user:https://cci-broker.local/dev#${name}`,
        tokens,
      }),
    );
    if (self === undefined || other === undefined) throw new Error('missing');
    expect((await ask(self, 0x0001)).returnCode).toBe(0);
    expect((await ask(other, 0x0001)).returnCode).toBe(2);
  });

  it('goes on with the next token when the last one has run out', async () => {
    const short = await rehearsal.token('fabric', 1000);
    const relay = coreRelay(rehearsal.broker.core, {
      switch: 'sw0',
      tenant: 'fabric',
      tokens: pages(short, await rehearsal.token('fabric')),
    });
    expect((await ask(relay, 0x0001)).returnCode).toBe(0);
    // Past its end, and past what clocks may differ by.
    await expect
      .poll(async () => (await rehearsal.broker.core.whoami({ token: short, source: 'x' })).ok, {
        timeout: 10_000,
        interval: 250,
      })
      .toBe(false)
      .catch(() => {});
    expect((await ask(relay, 0x0001)).returnCode).toBe(0);
  });

  it('sends nothing for a client that has gone', async () => {
    const relay = coreRelay(rehearsal.broker.core, {
      switch: 'sw0',
      tenant: 'fabric',
      tokens: pages(await rehearsal.token('fabric')),
    });
    const message = encodeMessage({
      category: 'request',
      tag: 1,
      opcode: 0x5101,
      background: false,
      returnCode: 0,
      vendorStatus: 0,
      payload: Uint8Array.of(1, 4),
    });
    rehearsal.requests.length = 0;
    await expect(relay(message, { ...asking(), gone: AbortSignal.abort() })).rejects.toThrow('gone');
    expect(rehearsal.requests).toEqual([]);
  });
});

describe('a token in a file', () => {
  const claims = (exp: unknown): string => `e30.${Buffer.from(JSON.stringify({ exp })).toString('base64url')}.x`;

  it('is read again as it changes, and a file that is away for a moment takes nothing away', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'cci-token-'));
    const file = join(directory, 'token');
    const problems: string[] = [];
    const source = new FileToken(file, (text) => problems.push(text), 5);
    expect(await source.current()).toBe('');
    await writeFile(file, `${claims(9_999_999_999)}\n`);
    await expect.poll(() => source.current()).toBe(claims(9_999_999_999));
    await writeFile(file, '');
    expect(await source.renew()).toBe(claims(9_999_999_999));
    await writeFile(file, claims(9_999_999_998));
    await expect.poll(() => source.current()).toBe(claims(9_999_999_998));
    await rm(directory, { recursive: true });
    expect(await source.renew()).toBe(claims(9_999_999_998));
    expect(problems.length).toBe(3);
    for (const text of problems) expect(text).not.toContain('e30.');
  });

  it('that has run out is not used while the next one can be read', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'cci-token-'));
    const file = join(directory, 'token');
    await writeFile(file, claims(1));
    const source = new FileToken(file, () => {}, 0);
    expect(await source.current()).toBe(claims(1));
    await writeFile(file, claims(9_999_999_999));
    expect(await source.current()).toBe(claims(9_999_999_999));
    await rm(directory, { recursive: true });
  });

  it('says when it runs out, where it does', () => {
    expect(expiryOf(claims(12))).toBe(12_000);
    for (const token of [
      '',
      'a',
      'a.b',
      claims('x'),
      claims(null),
      'a.e30.b',
      `a.${Buffer.from('[]').toString('base64url')}.b`,
    ]) {
      expect(expiryOf(token)).toBeUndefined();
    }
    expect([isToken('a.b.c'), isToken(''), isToken('a b'), isToken('a\n'), isToken('x'.repeat(20_000))]).toEqual([
      true,
      false,
      false,
      false,
      false,
    ]);
  });
});
