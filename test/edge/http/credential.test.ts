import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { credentialOf } from '../../../src/edge/http/credential.ts';

const socketOf = (port: number) => ({ remoteAddress: '10.0.0.7', remotePort: port }) as Socket;

const request = (socket: Socket, ...rawHeaders: readonly string[]): IncomingMessage =>
  ({ socket, rawHeaders, method: 'POST', url: '/v1/x', headers: { host: 'h' } }) as unknown as IncomingMessage;

describe('what a kept-alive connection shows', () => {
  it('is the same object while it is the same token, so that who is told knows it again', () => {
    const socket = socketOf(1);
    const first = credentialOf(request(socket, 'Authorization', 'Bearer aaa'));
    expect(first).toEqual({ token: 'aaa', source: '10.0.0.7:1' });
    expect(credentialOf(request(socket, 'authorization', 'Bearer aaa'))).toBe(first);
  });

  it('is another one as soon as anything differs: token, scheme, none, two', () => {
    const socket = socketOf(2);
    const shown = [
      ['Authorization', 'Bearer aaa'],
      ['Authorization', 'Bearer bbb'],
      ['Authorization', 'DPoP bbb'],
      [],
      ['Authorization', 'Bearer aaa', 'Authorization', 'Bearer bbb'],
      ['Authorization', 'Bearer aaa'],
    ].map((headers) => credentialOf(request(socket, ...headers)));
    expect(shown.map(({ token, scheme }) => [token, scheme])).toEqual([
      ['aaa', undefined],
      ['bbb', undefined],
      ['bbb', 'dpop'],
      ['', undefined],
      ['', undefined],
      ['aaa', undefined],
    ]);
  });

  it('is never taken for what another connection showed', () => {
    const [one, two] = [socketOf(3), socketOf(4)];
    credentialOf(request(one, 'Authorization', 'Bearer aaa'));
    expect(credentialOf(request(two, 'Authorization', 'Bearer aaa')).source).toBe('10.0.0.7:4');
    expect(credentialOf(request(two)).token).toBe('');
  });

  it('carries the proof of each request by itself', () => {
    const socket = socketOf(5);
    const proofs = ['p1', 'p2'].map(
      (proof) => credentialOf(request(socket, 'Authorization', 'DPoP aaa', 'DPoP', proof)).proof?.jwt,
    );
    expect(proofs).toEqual(['p1', 'p2']);
    expect(credentialOf(request(socket, 'Authorization', 'DPoP aaa')).proof).toBeUndefined();
  });

  it('of which the address is not known any more is not kept under that', () => {
    const socket = { remoteAddress: undefined, remotePort: undefined } as unknown as Socket;
    expect(credentialOf(request(socket, 'Authorization', 'Bearer aaa')).source).toBe('unknown:0');
    Object.assign(socket, socketOf(6));
    expect(credentialOf(request(socket, 'Authorization', 'Bearer aaa')).source).toBe('10.0.0.7:6');
  });
});
