import { Agent, request } from 'node:http';
import { WebSocket } from 'ws';

/**
 * A client inside a network of its own, told what to do by the process that started it. Its stream comes from an address
 * that can be taken away, everything else from 127.0.0.1.
 *
 *   node far-client.ts PORT TOKEN ADDRESS
 */
const [port = '', token = '', localAddress = ''] = process.argv.slice(2);
const headers = { authorization: `Bearer ${token}` };

const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/switches/sw0/stream`, {
  headers,
  agent: new Agent({ localAddress }),
});
socket.on('open', () => process.send?.({ open: true }));
socket.on('error', (error) => process.send?.({ error: error.message }));

process.on('message', (path: string) => {
  const sent = request({ host: '127.0.0.1', port, path, headers, agent: false }, (response) => {
    let text = '';
    response.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
    response.on('end', () => process.send?.({ status: response.statusCode, text }));
  });
  sent.on('error', (error) => process.send?.({ error: error.message }));
  sent.end();
});
