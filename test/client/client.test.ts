import { createServer } from 'node:http';
import { afterEach, describe, expect, expectTypeOf, it } from 'vitest';
import type * as core from '../../src/broker/core-api.ts';
import type { CoreApi } from '../../src/broker/core-api.ts';
import { encodePayload, type Reply, rowBySlug } from '../../src/cci/index.ts';
import {
  BrokerError,
  CciError,
  type Client,
  type CommandAnswer,
  createClient,
  type Decision,
  DeviceError,
  type OfferedCommand,
  type Operation,
  ParameterError,
  type Posture,
  type ProblemDocument,
  ProtocolError,
  type SwitchSummary,
  type Taint,
  UnreachableError,
  type WhoAmI,
} from '../../src/client/index.ts';
import type { CommandAnswerDocument } from '../../src/edge/http/schemas.ts';
import type { ProblemDocument as SentProblem } from '../../src/edge/index.ts';
import { type FakeBroker, fakeBroker } from '../support/command-line.ts';
import { answered, deviceError, GOOD_TOKEN, refused } from '../support/fake-core.ts';

let broker: FakeBroker;
const open: FakeBroker[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

async function start(replace: Partial<CoreApi> = {}): Promise<Client> {
  broker = await fakeBroker(replace);
  open.push(broker);
  return createClient({ url: broker.url, token: GOOD_TOKEN });
}

/** Reply bytes as a device would send them. */
function replyBytes(slug: string, value: object): Uint8Array {
  const row = rowBySlug(slug);
  const encoded = row?.response ? encodePayload(row.response, value as never, 'reply') : undefined;
  if (!encoded?.ok) throw new Error(`${slug} does not encode`);
  return encoded.value;
}

describe('run', () => {
  it('has the types of the catalogue, both ways', async () => {
    const client = await start({
      submit: async () =>
        answered({
          payload: replyBytes('get-ld-info', {
            memory_size: 2n ** 40n,
            ld_count: 4,
            qos_telemetry_capability: { egress_port_congestion: true, temporary_throughput_reduction: false },
          }),
        }),
    });
    const { result } = await client.run('get-ld-info', {}, { via: 'port:3' });
    expectTypeOf(result).toEqualTypeOf<Reply<'get-ld-info'> | undefined>();
    expect(result?.memory_size).toBe(2n ** 40n);
    expect(result?.qos_telemetry_capability.egress_port_congestion).toBe(true);
    expect(broker.core.calls[0]?.request).toMatchObject({ command: 'get-ld-info', via: 'port:3' });
    // @ts-expect-error a parameter of another command
    await expect(client.run('bind-vppb', { vcs: 1 })).rejects.toThrow(ParameterError);
    // @ts-expect-error a command without a codec
    await expect(client.run('identify-gfd', {})).rejects.toThrow(ParameterError);
  });

  it('sends numbers of 64 bits and bytes in the spelling of the interface', async () => {
    const client = await start();
    await client
      .run('send-ld-cxl-io-memory-request', {
        port_id: 3,
        request_control: { first_dword_byte_enable: 15, last_dword_byte_enable: 0, transaction_type: 'write' },
        ld_id: 1,
        transaction_length: 4,
        transaction_address: 0xffff_ffff_ffff_fff0n,
        transaction_data: Uint8Array.of(1, 2, 3, 4),
      })
      .catch((error: unknown) => expect(error).toBeInstanceOf(ProtocolError));
    expect(broker.core.calls[0]?.request).toMatchObject({
      params: { transaction_address: '0xfffffffffffffff0', transaction_data: '01020304', ld_id: 1 },
    });
  });

  it('needs the request to read a reply whose shape depends on it', async () => {
    const vppb = { binding_status: 'unbound', bound_port_id: 0, bound_ld_id: 0 };
    const vcs = { vcs_id: 0, vcs_state: 'enabled', usp_id: 0, number_of_vppbs: 9, vppb_information_list: [vppb, vppb] };
    const client = await start({
      submit: async () =>
        answered({ payload: replyBytes('get-virtual-cxl-switch-info', { vcs_information_list: [vcs] }) }),
    });
    const { result } = await client.run('get-virtual-cxl-switch-info', {
      starting_vppb: 0,
      vppb_list_limit: 2,
      vcs_id_list: [0],
    });
    expect(result?.vcs_information_list[0]?.vppb_information_list).toHaveLength(2);
  });

  it('gives the operation of a command that runs on in the background', async () => {
    const client = await start({
      submit: async () =>
        answered({ returnCode: 1, returnCodeName: 'background-command-started', background: { operation: 'op-1' } }),
    });
    const answer = await client.run('unbind-vppb', { vcs_id: 0, vppb_id: 1, option: 'wait-for-link-down' });
    expect(answer).toMatchObject({ returnCode: 1, operation: 'op-1', result: undefined });
  });

  it('finds mistakes before anything is sent', async () => {
    const client = await start();
    const params = { vcs_id: 256, vppb_id: 0, physical_port_id: 0, ld_id: 0 };
    await expect(client.run('bind-vppb', params)).rejects.toMatchObject({ code: 'EPARAM', field: 'vcs_id' });
    await expect(client.can('bind-vppb', params)).rejects.toBeInstanceOf(ParameterError);
    expect(broker.core.calls).toEqual([]);
  });
});

describe('errors are classes with a stable code', () => {
  it('a refusal carries its problem document', async () => {
    const client = await start({ submit: async () => refused('EBUSY', { requestId: 'r-9', returnCode: 6 }) });
    const error = await client.run('identify', {}).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(BrokerError);
    expect(error).toBeInstanceOf(CciError);
    expect(error).toMatchObject({
      code: 'EBUSY',
      status: 409,
      requestId: 'r-9',
      name: 'BrokerError',
      problem: { returnCode: 6 },
    });
  });

  it('an error code of the device carries the answer', async () => {
    const client = await start({ submit: async () => deviceError(2) });
    for (const calling of [client.run('identify', {}), client.raw(0xc010, new Uint8Array(0))]) {
      const error = await calling.catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(DeviceError);
      expect(error).toMatchObject({
        code: 'EDEVICE',
        returnCode: 2,
        returnCodeName: 'invalid-input',
        answer: { requestId: 'req-1' },
      });
    }
    expect((await client.submit({ command: 'identify' })).returnCode).toBe(2);
  });

  it('a reply that does not decode is a protocol error', async () => {
    const client = await start({ submit: async () => answered({ payload: Uint8Array.of(1) }) });
    await expect(client.run('identify', {})).rejects.toBeInstanceOf(ProtocolError);
  });

  it('no answer in time, a cancelled request and a closed port are unreachable', async () => {
    await start({ whoami: () => new Promise(() => undefined) });
    const slow = createClient({ url: broker.url, token: GOOD_TOKEN, timeoutMs: 50 });
    await expect(slow.whoami()).rejects.toMatchObject({ code: 'EUNREACHABLE', message: 'no answer in time' });
    const cancelled = createClient({ url: broker.url, token: GOOD_TOKEN, signal: AbortSignal.timeout(50) });
    await expect(cancelled.whoami()).rejects.toMatchObject({ message: 'the request was cancelled' });
    await broker.close();
    await expect(slow.whoami()).rejects.toBeInstanceOf(UnreachableError);
  });
});

describe('what a server does cannot hurt', () => {
  async function against(
    answer: (respond: import('node:http').ServerResponse, request: import('node:http').IncomingMessage) => void,
  ) {
    const server = createServer((request, response) => answer(response, request));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
    return { client: createClient({ url, token: 'SECRET' }), server, url };
  }

  it('a redirect is not followed, so that the token goes nowhere else', async () => {
    let seen = '';
    const thief = await against((response, request) => {
      seen = request.headers.authorization ?? 'no token';
      response.end();
    });
    const { client, server } = await against((response) =>
      response.writeHead(307, { location: `${thief.url}/` }).end(),
    );
    await expect(client.whoami()).rejects.toBeInstanceOf(CciError);
    expect(seen).toBe('');
    server.close();
    thief.server.close();
  });

  it('an endless answer is cut off', async () => {
    const { client, server } = await against((response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const more = (): void => {
        while (response.write('['.repeat(1 << 20)));
        response.once('drain', more);
      };
      more();
    });
    await expect(client.whoami()).rejects.toThrow('larger than');
    server.closeAllConnections();
    server.close();
  });

  it('members that nobody asked for are dropped, and a prototype stays what it was', async () => {
    const { client, server } = await against((response) =>
      response.end(
        '[{"name":"sw0","backend":"b","state":"serving","resources":[],"extra":1,"__proto__":{"polluted":1}}]',
      ),
    );
    expect(await client.switches()).toEqual([{ name: 'sw0', backend: 'b', state: 'serving', resources: [] }]);
    expect('polluted' in {}).toBe(false);
    server.close();
  });
});

describe('views', () => {
  it('asks its provider for a token each time, and once more when one is refused', async () => {
    await start();
    let asked = 0;
    const client = createClient({
      url: `${broker.url}/`,
      tokenProvider: async () => (asked++ === 0 ? 'old' : GOOD_TOKEN),
      switch: 'sw0',
    });
    expect((await client.whoami()).tenant).toBe('acme');
    expect(asked).toBe(2);
    expect((await client.whoami()).tenant).toBe('acme');
    expect(asked).toBe(3);
  });

  it('reads every view', async () => {
    const client = await start();
    expect((await client.switches())[0]?.name).toBe('sw0');
    expect((await client.commands())[1]?.slug).toBe('bind-vppb');
    expect(await client.operations()).toEqual([]);
    expect((await client.posture())[0]?.profile).toBe('host');
    expect((await client.taint())[0]?.letters).toBe('-');
    expect(await client.reloadPolicy()).toEqual({ snapshot: 'abc', rules: 12 });
    expect((await client.can('identify', {})).verdict).toBe('allow');
    await expect(client.raiseLockdown('integrity', 'x')).rejects.toMatchObject({ code: 'EPERM' });
    await expect(client.operation('a/b')).rejects.toMatchObject({ code: 'ENOENT' });
    expect(broker.core.calls.at(-1)).toMatchObject({ method: 'operation', arguments: ['a/b'] });
  });

  it('has the shapes that the core sends', () => {
    expectTypeOf<core.WhoAmI>().toExtend<WhoAmI>();
    expectTypeOf<core.SwitchSummary>().toExtend<SwitchSummary>();
    expectTypeOf<core.OfferedCommand>().toExtend<OfferedCommand>();
    expectTypeOf<core.PostureAnswer>().toExtend<Posture>();
    expectTypeOf<core.TaintAnswer>().toExtend<Taint>();
    expectTypeOf<core.OperationView>().toExtend<Operation>();
    expectTypeOf<core.DecisionAnswer>().toExtend<Decision>();
    expectTypeOf<CommandAnswerDocument>().toExtend<CommandAnswer>();
    expectTypeOf<SentProblem>().toExtend<ProblemDocument>();
  });
});

describe('stream', () => {
  it('pipelines commands and gives each its own reply', async () => {
    const client = await start();
    const stream = await client.stream();
    const replies = await Promise.all(
      Array.from({ length: 255 }, (_, i) => stream.send(0x5100 + (i % 2), Uint8Array.of(i))),
    );
    replies.forEach((reply, i) => {
      expect(reply).toMatchObject({ opcode: 0x5100 + (i % 2), returnCode: 0, payload: Uint8Array.of(i) });
    });
    await expect(
      Promise.all(Array.from({ length: 256 }, () => stream.send(1, new Uint8Array(0)))),
    ).rejects.toBeInstanceOf(ProtocolError);
    await stream.close();
    await expect(stream.send(1, new Uint8Array(0))).rejects.toBeInstanceOf(UnreachableError);
  });

  it('gives refusals as return codes, and ends when the token does', async () => {
    let answer = refused('EPERM', { returnCode: 2 });
    const client = await start({ submit: async () => answer });
    const stream = await client.stream();
    expect(await stream.send(0x5201, new Uint8Array(6))).toMatchObject({ returnCode: 2 });
    answer = refused('EAUTH', { returnCode: 2 });
    await stream.send(1, new Uint8Array(0));
    await expect(stream.send(1, new Uint8Array(0))).rejects.toBeInstanceOf(UnreachableError);
  });

  it('does not open without a token', async () => {
    await start();
    await expect(createClient({ url: broker.url }).stream()).rejects.toBeInstanceOf(UnreachableError);
  });
});
