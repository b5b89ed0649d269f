import { EventEmitter } from 'node:events';
import { afterEach, describe, expect, test } from 'vitest';
import type { WebSocket } from 'ws';
import type { ConsolePage, CoreApi } from '../../../src/broker/core-api.ts';
import { ConsoleSocket } from '../../../src/edge/http/console-socket.ts';

const SESSION = '11111111-1111-4111-8111-111111111111';
const PAGE: ConsolePage = {
  ...{ offset: 0, output: new Uint8Array(0), change: 1, inputOffset: 0 },
  ...{ state: 'running', columns: 80, rows: 24, watchers: 0 },
};

/** A connection without a network. */
class FakeSocket extends EventEmitter {
  readonly OPEN = 1;
  readonly readyState = 1;
  readonly bufferedAmount = 0;
  readonly isPaused = false;
  readonly closes: number[] = [];
  send(): void {}
  ping(): void {}
  pause(): void {}
  resume(): void {}
  terminate(): void {}
  close(code: number): void {
    this.closes.push(code);
  }
  says(message: object): void {
    this.emit('message', Buffer.from(JSON.stringify(message)), false);
  }
}

/** A core that answers a little later, and counts. */
class SlowCore {
  underWay = 0;
  most = 0;
  readonly acknowledged: number[] = [];
  readonly sizes: number[] = [];
  closed = 0;

  async #answer<T>(value: T): Promise<{ readonly ok: true; readonly value: T }> {
    this.underWay += 1;
    this.most = Math.max(this.most, this.underWay);
    await new Promise((done) => setTimeout(done, 5));
    this.underWay -= 1;
    return { ok: true, value };
  }
  consoles() {
    return this.#answer({ programs: [], requests: [], sessions: [] });
  }
  consoleRead(_credential: unknown, _name: string, query: { readonly waitMs?: number; acknowledged?: number }) {
    if (query.waitMs === undefined) this.acknowledged.push(query.acknowledged ?? -1);
    return this.#answer(PAGE);
  }
  consoleResize(_credential: unknown, _name: string, _seat: unknown, columns: number) {
    this.sizes.push(columns);
    return this.#answer(null);
  }
  consoleClose() {
    this.closed += 1;
    return this.#answer(null);
  }
  consoleLeave() {
    return this.#answer(null);
  }
}

const socket = new FakeSocket();
afterEach(() => socket.emit('close'));

describe('a client that asks as fast as it can', () => {
  test('has few calls under way at the core, which has so many for all consoles together; the last word counts', async () => {
    const core = new SlowCore();
    const credential = { token: 'token', source: 'here' };
    new ConsoleSocket(socket as unknown as WebSocket, core as unknown as CoreApi, {
      ...{ switch: 'sw0', tenant: 'fabric', credential },
      ...{ firstMs: 1000, pingMs: 10_000, bufferBytes: 1 << 20, onEnd: () => {} },
    });
    socket.says({ type: 'resume', session: SESSION, seat: 'word', after: 0 });
    await expect.poll(() => core.most).toBeGreaterThan(0);
    for (let i = 1; i <= 1000; i++) {
      socket.says({ type: 'ack', offset: i });
      socket.says({ type: 'resize', columns: i, rows: 5 });
    }
    await expect.poll(() => core.sizes.at(-1)).toBe(1000);
    expect(core.acknowledged.at(-1)).toBe(1000);
    for (let i = 0; i < 1000; i++) socket.says({ type: 'close' });
    await expect.poll(() => core.closed).toBeGreaterThan(0);
    // The wait for output and one other.
    expect(core.most).toBeLessThanOrEqual(2);
    expect(socket.closes).toEqual([]);
  });
});
