import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { performance } from 'node:perf_hooks';
import { WebSocketServer } from 'ws';
import { createEmulatorBackend } from '../../src/backend/emulator/index.ts';
import { encodeMessage, HEADER_SIZE, opcode, readUint } from '../../src/cci/index.ts';

/**
 * The emulated switch on the same two transports as the broker and with nothing in between: what a call costs before
 * anybody authenticates, decides, records or filters. Prints its address.
 */
const topology = new URL('../../config/topologies/small.yaml', import.meta.url).pathname;
const backend = createEmulatorBackend({ topology, seed: 1 });
await backend.open();

const execute = (code: number, payload: Uint8Array) =>
  backend.execute({ opcode: opcode(code), payload }, performance.now() + 1000);

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', async () => {
    const { raw } = JSON.parse(Buffer.concat(chunks).toString()) as { raw: { opcode: string; payload: string } };
    const reply = await execute(Number(raw.opcode), Buffer.from(raw.payload, 'hex'));
    const body = JSON.stringify({ returnCode: reply.returnCode, payload: Buffer.from(reply.payload).toString('hex') });
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length });
    response.end(body);
  });
});
const sockets = new WebSocketServer({ server, perMessageDeflate: false });
sockets.on('connection', (socket) => {
  socket.on('message', async (data: Buffer) => {
    const code = readUint(data, 3, 2);
    const reply = await execute(code, Uint8Array.from(data.subarray(HEADER_SIZE)));
    const { returnCode, vendorStatus, background, payload } = reply;
    socket.send(
      encodeMessage({
        category: 'response',
        tag: data[1] ?? 0,
        opcode: code,
        background,
        returnCode,
        vendorStatus,
        payload,
      }),
    );
  });
});
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
