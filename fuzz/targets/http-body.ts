import { createHttpEdge } from '../../src/edge/index.ts';
import { type Call, fakeCore, GOOD_TOKEN } from '../../test/support/fake-core.ts';
import { bytesOf, demand, type Target } from '../engine/target.ts';
import { json } from '../support/text-mutators.ts';

const ROUTES = ['/v1/switches/sw0/commands', '/v1/switches/sw0/decisions', '/v1/posture/lockdown'] as const;
const STATUSES = new Set([200, 400, 403, 404, 413, 415]);
const KNOWN = new Set(['command', 'params', 'via', 'raw', 'level', 'reason']);

const withRoute = (route: number, text: string): Uint8Array => new Uint8Array([route, ...bytesOf(text)]);
/** The JSON behind the byte that names the route. */
const jsonBody: typeof json = (input, random, other) => {
  const changed = json(input.subarray(1), random, other.subarray(1));
  return new Uint8Array([input[0] ?? 0, ...changed]);
};

function checkCall({ method, request }: Call, body: unknown): void {
  if (method !== 'submit' && method !== 'decide') return;
  demand(typeof body === 'object' && body !== null, 'a call without a body');
  for (const name of Object.keys(body)) demand(KNOWN.has(name), `the member ${name} was passed over`);
  const { command, raw, via, params }: { command?: unknown; raw?: unknown; via?: unknown; params?: unknown } = body;
  demand((command === undefined) !== (raw === undefined), 'two spellings at once');
  demand(request !== undefined && request.kind !== 'message', 'no request');
  demand(request.via === via, 'another path');
  if (request.kind === 'named') {
    demand(request.command === command, 'another command');
    demand(JSON.stringify(request.params) === JSON.stringify(params), 'other parameters');
    return;
  }
  const { opcode, payload }: { opcode?: unknown; payload?: unknown } = raw ?? {};
  demand(
    request.opcode === Number(opcode) && request.opcode >= 1 && request.opcode <= 0xffff,
    `opcode ${request.opcode}`,
  );
  const hex = Buffer.from(request.payload).toString('hex');
  demand(hex === String(payload ?? '').toLowerCase(), `payload ${hex}`);
}

export const target: Target = {
  name: 'http-body',
  oracle: 'a body is refused with a problem document or reaches the core exactly as it stands; never a 500',
  covers: ['src/edge/http'],
  kind: 'text',
  maxLength: 400,
  dictionary: [
    '"command":',
    '"raw":',
    '"opcode":',
    '"payload":',
    '"via":',
    '"params":',
    '"0xc000"',
    '"port:3/ld:1"',
    '__proto__',
  ],
  seeds: () => [
    withRoute(0, '{"command":"identify"}'),
    withRoute(1, '{"command":"bind-vppb","params":{"vcs_id":0,"list":[1,{"a":"b"}]},"via":"port:3/ld:1"}'),
    withRoute(0, '{"raw":{"opcode":"0xc000","payload":"00ff"}}'),
    withRoute(0, '{"raw":{"opcode":49152},"via":"port:3/ldpool"}'),
    withRoute(2, '{"level":"integrity","reason":"because"}'),
  ],
  mutators: [jsonBody, jsonBody],
  async open() {
    const core = fakeCore();
    const edge = createHttpEdge(core);
    const ask = (url: string, payload: Buffer) =>
      edge.inject({
        method: 'POST',
        url,
        headers: { authorization: `Bearer ${GOOD_TOKEN}`, 'content-type': 'application/json' },
        payload,
      });
    await ask(ROUTES[0], Buffer.from('{}'));
    return {
      async run(bytes) {
        core.calls.length = 0;
        const body = Buffer.from(bytes.subarray(1));
        const reply = await ask(ROUTES[(bytes[0] ?? 0) % ROUTES.length] ?? ROUTES[0], body);
        demand(STATUSES.has(reply.statusCode), () => `${reply.statusCode}: ${reply.body}`);
        const document: unknown = reply.json();
        demand(typeof document === 'object' && document !== null, 'no document');
        if (reply.statusCode >= 400) {
          demand('status' in document && document.status === reply.statusCode && 'code' in document, reply.body);
        }
        for (const call of core.calls) checkCall(call, JSON.parse(body.toString()));
        demand(!('via' in Object.prototype) && !('command' in Object.prototype), 'the prototype was written to');
      },
      close: () => edge.close(),
    };
  },
};
