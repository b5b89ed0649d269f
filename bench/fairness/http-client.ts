import { Agent, request } from 'node:http';
import { performance } from 'node:perf_hooks';

/**
 * One client of the HTTP interface with so many connections, as a process of its own: `URL TOKEN CONNECTIONS SECONDS BODY`.
 * Prints one line of JSON: median and 99th percentile in milliseconds, and how many were answered.
 */
const [url = '', token = '', connections = '1', seconds = '1', body = '{}'] = process.argv.slice(2);
const width = Number(connections);
const agent = new Agent({ keepAlive: true, maxSockets: width });
const until = performance.now() + Number(seconds) * 1000;
const target = new URL('/v1/switches/sw0/commands', url);
const headers = {
  authorization: `Bearer ${token}`,
  'content-type': 'application/json',
  'content-length': Buffer.byteLength(body),
};

function once(): Promise<number> {
  return new Promise((resolve, reject) => {
    const outgoing = request(target, { method: 'POST', agent, headers }, (response) => {
      response.resume();
      response.once('end', () => resolve(response.statusCode ?? 0));
    });
    outgoing.once('error', reject);
    outgoing.end(body);
  });
}

const times: number[] = [];
const statuses = new Map<number, number>();
async function worker(): Promise<void> {
  while (performance.now() < until) {
    const begin = performance.now();
    const status = await once();
    times.push(performance.now() - begin);
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    // A single client is not in a hurry, so that what he sees is latency and not his own load.
    if (width === 1) await new Promise((done) => setTimeout(done, 3));
  }
}
await Promise.all(Array.from({ length: width }, worker));
agent.destroy();
times.sort((a, b) => a - b);
const at = (q: number) => times[Math.floor(times.length * q)] ?? Number.NaN;
console.log(
  JSON.stringify({ p50: at(0.5), p99: at(0.99), count: times.length, statuses: Object.fromEntries(statuses) }),
);
