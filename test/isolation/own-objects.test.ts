import { expect, test } from 'vitest';
import { startBrokerFixture } from '../support/broker-fixture.ts';
import { bits } from '../support/oracle.ts';
import { type Place, typed } from './commands.ts';
import { smallParts } from './small-fabric.ts';

const SWITCH: Place = { kind: 'switch' };

test('a tenant lists his ports and his VCS, binds, reads and unbinds his LD, and all of it reaches the device', async () => {
  await using broker = await startBrokerFixture(await smallParts());
  const acme = await broker.credential('acme');
  const run = async (place: Place, opcode: number, ...payload: number[]) => {
    broker.requests.length = 0;
    const result = await broker.submit(acme, typed(place, opcode, Uint8Array.from(payload)).request);
    await broker.settle();
    return {
      result,
      reached: broker.requests.some((request) => request.opcode === (place.kind === 'switch' ? opcode : 0x5300)),
    };
  };
  const identity = await run(SWITCH, 0x5100);
  expect(identity.result.ok && bits(identity.result.value.payload.subarray(4, 36))).toEqual(
    expect.arrayContaining([0, 2]),
  );
  expect(await run(SWITCH, 0x5101, 1, 2)).toMatchObject({
    result: { ok: true, value: { returnCode: 0 } },
    reached: true,
  });
  expect(await run(SWITCH, 0x5200, 0, 255, 1, 0)).toMatchObject({ result: { ok: true }, reached: true });
  expect(await run(SWITCH, 0x5201, 0, 2, 3, 0, 1, 0)).toMatchObject({
    result: { ok: true, value: { returnCode: 1 } },
    reached: true,
  });
  expect(await run({ kind: 'ld', port: 3, ld: 1 }, 0x0001)).toMatchObject({ result: { ok: true }, reached: true });
  expect(await run({ kind: 'ld', port: 3, ld: 1 }, 0x4000)).toMatchObject({ result: { ok: true }, reached: true });
  expect(await run(SWITCH, 0x5202, 0, 2, 2)).toMatchObject({
    result: { ok: true, value: { returnCode: 1 } },
    reached: true,
  });
});

test('every opcode that the device itself would run on something of globex stays away from it for acme', async () => {
  await using broker = await startBrokerFixture(await smallParts());
  const acme = await broker.credential('acme');
  const tries: readonly (readonly [Place, number, readonly number[]])[] = [
    [SWITCH, 0x5102, [4, 0]],
    [SWITCH, 0x5102, [3, 0]],
    [SWITCH, 0x5103, [4, 0, 0xf0, 0, 0, 0, 0, 0]],
    [SWITCH, 0x5107, [1]],
    [SWITCH, 0x5201, [0, 2, 4, 0, 0xff, 0xff]],
    [SWITCH, 0x5201, [0, 2, 3, 0, 3, 0]],
    [SWITCH, 0x5202, [1, 0, 2]],
    [SWITCH, 0x5203, [1, 0, ...new Array<number>(38).fill(0)]],
    [SWITCH, 0x5301, [3, 0, 0xf0, 0x80, 3, 0, 0, 0, 1, 2, 3, 4]],
    [SWITCH, 0x5302, [3, 0, 0xf0, 0x0f, 0xff, 0xff, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
    [{ kind: 'port', port: 4 }, 0x0001, []],
    [{ kind: 'ld', port: 3, ld: 2 }, 0x4400, []],
    [{ kind: 'port', port: 3 }, 0x5404, [0, 1, 2, 0, 0, 0, 0]],
    [{ kind: 'port', port: 3 }, 0x5409, [2, 1, 9, 9]],
  ];
  for (const [place, opcode, payload] of tries) {
    broker.requests.length = 0;
    const { request } = typed(place, opcode, Uint8Array.from(payload));
    expect(await broker.submit(acme, request), JSON.stringify(request)).toMatchObject({ ok: false });
    expect(broker.requests).toEqual([]);
  }
});
