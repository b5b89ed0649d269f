import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createEmulator, loadTopology, serveEmulator } from '../../src/backend/emulator/index.ts';
import { decodePayload, encodeMessage, rowBySlug, type TypedSlug } from '../../src/cci/index.ts';
import { MCTP_TYPE, packetize } from '../../src/cci/mctp.ts';
import { type ShippedBroker, startShippedBroker } from '../support/shipped-broker.ts';

// Where implementations disagree and the answer is not the codec's: the rest is in test/cci/disagreements.test.ts.

const small = new URL('../../config/topologies/small.yaml', import.meta.url).pathname;

let setup: ShippedBroker | undefined;
afterEach(async () => {
  await setup?.broker.close();
  setup = undefined;
});

describe('D08: a device understates the effects of its commands', () => {
  it("does not make a command harmless: class and scope are the catalogue's", async () => {
    setup = await startShippedBroker();
    const { broker, olga } = setup;
    // The CEL gives 5102h no effect at all, as QEMU and the specification do; it stays an audited debug write.
    const decision = await broker.core.decide(olga, 'sw0', {
      kind: 'named',
      command: 'physical-port-control',
      params: { ppb_id: 6, port_opcode: 'reset-ppb' },
    });
    expect(decision).toMatchObject({ value: { class: 'audited', scope: 2 } });
    const posture = await broker.core.posture(olga);
    expect(posture).toMatchObject({ value: [{ taint: { letters: '-' } }] });
  });
});

describe('D12: what stands in the LD byte of an unbound vPPB differs', () => {
  it.each([0x00, 0xff, 0x03])('a device that writes %i there has an unbound vPPB all the same', async (ld) => {
    setup = await startShippedBroker();
    const { broker, device, alice } = setup;
    device.hook = async (request, pass) => {
      const reply = await pass();
      if (request.opcode !== 0x5200) return reply;
      const payload = reply.payload.slice();
      // VCS 0: header 4, block header 4, then four bytes a vPPB; vPPB 2 is unbound.
      payload[8 + 2 * 4 + 2] = ld;
      return { ...reply, payload };
    };
    const answer = await broker.submit(alice, {
      kind: 'named',
      command: 'get-virtual-cxl-switch-info',
      params: { starting_vppb: 2, vppb_list_limit: 1, vcs_id_list: [0] },
    });
    expect(answer).toMatchObject({
      value: { result: { vcs_information_list: [{ vppb_information_list: [{ binding_status: 'unbound' }] }] } },
    });
  });
});

describe('D14: generic commands travel as type 07h or as type 08h', () => {
  it('Identify is answered on both, on the type it came with', async () => {
    const served = await serveEmulator({ topology: small, host: '127.0.0.1', port: 0 });
    try {
      for (const type of [MCTP_TYPE.fmApi, MCTP_TYPE.cci]) {
        const message = encodeMessage({
          category: 'request',
          tag: 5,
          opcode: 0x0001,
          background: false,
          returnCode: 0,
          vendorStatus: 0,
          payload: new Uint8Array(0),
        });
        const route = { destination: 0, source: 9, tagOwner: true, tag: 0 };
        const reply = await exchange(served.address.port, packetize(route, type, message, 0).bytes);
        expect([reply[4], reply[5], reply[6], reply.readUInt16LE(8)]).toEqual([type, 0x01, 5, 0x0001]);
      }
    } finally {
      await served.close();
    }
  });

  function exchange(port: number, bytes: Uint8Array): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
      socket.once('data', (data: Buffer) => {
        socket.destroy();
        resolve(data);
      });
      socket.once('error', reject);
    });
  }
});

describe('D18: two event UUIDs are mistyped in a script that is going around', () => {
  it('a bind is recorded under the UUID of virtual switch events that every other source has', async () => {
    let now = 0;
    const emulator = createEmulator(loadTopology(small), {}, () => now);
    const send = (opcode: number, ...payload: number[]) => emulator.execute(opcode, Uint8Array.from(payload));
    send(0x5201, 0, 2, 3, 0, 1, 0);
    now = 10_000;
    emulator.advance();
    const reply = send(0x0100, 0);
    const row = rowBySlug('get-event-records' satisfies TypedSlug);
    if (row?.response == null) throw new Error('no codec');
    const records = decodePayload(row.response, reply.payload, { side: 'reply' });
    expect(records).toMatchObject({
      value: { event_records: [{ event_record_identifier: '40d26425-3396-4c4d-a5da-3d47263af425' }] },
    });
  });
});
