import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createClient,
  ReturnCodeError,
  type Session,
  type SessionState,
  UnreachableError,
} from '../../src/client/index.ts';
import { createHttpEdge, type HttpEdge } from '../../src/edge/index.ts';
import { type Rehearsal, startRehearsal } from '../edge/mctp/rehearsal.ts';

let rehearsal: Rehearsal;
let edge: HttpEdge;
let url: string;
const open: Session[] = [];

async function serve(port = 0): Promise<void> {
  edge = createHttpEdge(rehearsal.broker.core, { limits: { shutdownMs: 200 } });
  // The same place again later: on 127.0.0.1 another test may be given the port meanwhile.
  url = (await edge.listen('127.0.0.7', port)).url;
}

beforeAll(async () => {
  rehearsal = await startRehearsal();
  await serve();
});
afterAll(async () => {
  for (const session of open) await session.close();
  await edge.close();
  await rehearsal[Symbol.asyncDispose]();
});

async function session(
  options: Parameters<ReturnType<typeof createClient>['session']>[0] = {},
  tokenProvider?: () => Promise<string>,
) {
  const token = await rehearsal.token('fabric');
  const made = await createClient({ url, ...(tokenProvider === undefined ? { token } : { tokenProvider }) }).session({
    waitMs: 15_000,
    retryMs: 20,
    ...options,
  });
  open.push(made);
  return made;
}

describe('commands of a session', () => {
  it('are typed, also behind a tunnel', async () => {
    const sw = await session();
    const { result } = await sw.run('get-physical-port-state', { port_id_list: [4, 14] });
    expect(result?.port_information_list.map((port) => port.connected_device_type)).toEqual([
      'type-3-sld',
      'type-3-mld',
    ]);
    const info = await sw.run('get-ld-info', {}, { via: 'port:14' });
    expect(info.result?.ld_count).toBe(16);
    const background = await sw.run('bind-vppb', { vcs_id: 0, vppb_id: 6, physical_port_id: 14, ld_id: 6 });
    expect(background).toEqual({ returnCode: 1, result: undefined });
  });

  it('fail with the return code of whoever said no', async () => {
    const sw = await session();
    await expect(sw.run('bind-vppb', { vcs_id: 0, vppb_id: 6, physical_port_id: 14, ld_id: 0 })).rejects.toBeInstanceOf(
      ReturnCodeError,
    );
    await expect(sw.run('get-ld-info', {}, { via: 'port:4' })).rejects.toMatchObject({ returnCode: 3 });
    await expect(sw.run('get-ld-info', {}, { via: 'nowhere' })).rejects.toMatchObject({ code: 'EPARAM' });
    expect((await sw.send(0x5108, new Uint8Array(0))).returnCode).not.toBe(0);
  });

  it('run beside each other', async () => {
    const sw = await session();
    const ports = await Promise.all(
      Array.from({ length: 32 }, (_, id) => sw.run('get-physical-port-state', { port_id_list: [id] })),
    );
    expect(ports.map(({ result }) => result?.port_information_list[0]?.port_id)).toEqual(
      Array.from({ length: 32 }, (_, id) => id),
    );
  });

  it('can be given up, and the next one is not given their answer', async () => {
    const sw = await session();
    await sw.run('identify', {});
    const leaving = new AbortController();
    const left = sw.run('get-physical-port-state', { port_id_list: [4] }, { signal: leaving.signal });
    leaving.abort();
    await expect(left).rejects.toBeInstanceOf(UnreachableError);
    expect(
      (await sw.run('get-physical-port-state', { port_id_list: [9] })).result?.port_information_list[0]?.port_id,
    ).toBe(9);
    await expect(sw.send(1, new Uint8Array(0), { signal: AbortSignal.abort() })).rejects.toBeInstanceOf(
      UnreachableError,
    );
  });
});

describe('a session outlives', () => {
  it('a broker that goes away: commands fail at once, and work again when it is back', async () => {
    const states: SessionState[] = [];
    const sw = await session({ waitMs: 0, onState: (state) => states.push(state) });
    await expect.poll(() => sw.state).toBe('open');
    const { port } = new URL(url);
    await edge.close();
    await expect.poll(() => sw.state).toBe('away');
    const begin = performance.now();
    await expect(sw.run('identify', {})).rejects.toBeInstanceOf(UnreachableError);
    expect(performance.now() - begin).toBeLessThan(4000);
    await serve(Number(port));
    await expect.poll(() => sw.state).toBe('open');
    expect((await sw.run('identify', {})).returnCode).toBe(0);
    expect(states).toEqual(['open', 'away', 'open']);
  });

  it('its token: the next one is in use before the last one ends, without a command lost', async () => {
    const tokens = [await rehearsal.token('fabric', 3000), await rehearsal.token('fabric')];
    let asked = 0;
    const sw = await session({}, async () => tokens[Math.min(asked++, 1)] ?? '');
    const begin = performance.now();
    let count = 0;
    while (asked < 2 && performance.now() - begin < 6000) {
      expect((await sw.run('identify', {})).returnCode).toBe(0);
      count++;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(asked).toBe(2);
    expect(count).toBeGreaterThan(2);
    expect((await sw.run('identify', {})).returnCode).toBe(0);
  });

  it('nothing after it was closed', async () => {
    const sw = await session();
    await sw.run('identify', {});
    await sw.close();
    expect(sw.state).toBe('closed');
    await expect(sw.run('identify', {})).rejects.toBeInstanceOf(UnreachableError);
  });

  it('a token that is refused, which it tells', async () => {
    const told: string[] = [];
    const sw = await session(
      { waitMs: 100, onState: (state, why) => told.push(`${state} ${why}`) },
      async () => 'nonsense',
    );
    await expect(sw.run('identify', {})).rejects.toBeInstanceOf(UnreachableError);
    await expect.poll(() => told[0] ?? '').toMatch(/^away .*token/);
  });
});

describe('requests without a session', () => {
  it('can be given up', async () => {
    const client = createClient({ url, token: await rehearsal.token('fabric') });
    await expect(client.run('identify', {}, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'EUNREACHABLE',
      message: 'the request was cancelled',
    });
  });

  it('are tried once more with the next token when the last one is refused', async () => {
    const tokens = ['nonsense', await rehearsal.token('fabric')];
    const client = createClient({ url, tokenProvider: () => tokens.shift() ?? '' });
    expect((await client.whoami()).tenant).toBe('fabric');
    const same = createClient({ url, tokenProvider: () => 'nonsense' });
    await expect(same.whoami()).rejects.toMatchObject({ code: 'EAUTH' });
  });
});
