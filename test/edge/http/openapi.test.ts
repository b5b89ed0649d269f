import { Check } from 'typebox/value';
import { afterAll, beforeAll, expect, it } from 'vitest';
import * as schemas from '../../../src/edge/http/schemas.ts';
import { createHttpEdge } from '../../../src/edge/index.ts';
import { fakeCore, GOOD_TOKEN, refused } from '../../support/fake-core.ts';

const edge = createHttpEdge(
  fakeCore({
    operations: async () => ({
      ok: true,
      value: [
        { id: 'o', switch: 'sw0', command: 'bind-vppb', opcode: 0x5201, state: 'running', percent: 5, startedAtMs: 1 },
      ],
    }),
  }),
  { version: '1.2.3' },
);
interface Operation {
  readonly operationId: string;
  readonly responses: { readonly [status: string]: unknown };
  readonly security?: readonly unknown[];
}
let document: {
  readonly openapi: string;
  readonly info: { readonly version: string };
  readonly paths: { readonly [path: string]: { readonly [method: string]: Operation } };
  readonly components: { readonly schemas: object; readonly securitySchemes: object };
};

beforeAll(async () => {
  document = (await edge.inject('/openapi.json')).json();
});
afterAll(() => edge.close());

it('is OpenAPI 3.1 and lists every route of the contract', () => {
  expect(document.openapi).toBe('3.1.0');
  expect(document.info.version).toBe('1.2.3');
  const routes = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method} ${path}`),
  );
  expect(routes.sort()).toEqual([
    'get /healthz',
    'get /metrics',
    'get /readyz',
    'get /v1/posture',
    'get /v1/revocations',
    'get /v1/switches',
    'get /v1/switches/{switch}/commands',
    'get /v1/switches/{switch}/console',
    'get /v1/switches/{switch}/consoles',
    'get /v1/switches/{switch}/events',
    'get /v1/switches/{switch}/operations',
    'get /v1/switches/{switch}/operations/{id}',
    'get /v1/switches/{switch}/stream',
    'get /v1/switches/{switch}/topology',
    'get /v1/taint',
    'get /v1/whoami',
    'post /v1/policy/reload',
    'post /v1/posture/lockdown',
    'post /v1/revocations',
    'post /v1/switches/{switch}/commands',
    'post /v1/switches/{switch}/console/approve',
    'post /v1/switches/{switch}/console/deny',
    'post /v1/switches/{switch}/console/kill',
    'post /v1/switches/{switch}/decisions',
    'post /v1/switches/{switch}/topology/accept',
    'post /v1/taint/acknowledge',
  ]);
});

it('names each operation once, needs a token under /v1 and refers to the problem document', () => {
  const seen = new Set<string>();
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const operation of Object.values(methods)) {
      expect(seen.has(operation.operationId)).toBe(false);
      seen.add(operation.operationId);
      expect(operation.security).toEqual(path.startsWith('/v1/') ? undefined : []);
      if (path.startsWith('/v1/') && !path.endsWith('/stream') && !path.endsWith('/console')) {
        expect(JSON.stringify(operation.responses.default)).toContain('#/components/schemas/Problem');
      }
    }
  }
  expect(document.components.schemas).toHaveProperty('Problem');
});

it.each([
  ['/v1/whoami', schemas.WhoAmIDocument],
  ['/v1/switches', schemas.SwitchesDocument],
  ['/v1/switches/sw0/commands', schemas.OfferedDocument],
  ['/v1/switches/sw0/operations', schemas.OperationsDocument],
  ['/v1/posture', schemas.PostureDocument],
  ['/v1/taint', schemas.TaintDocument],
  ['/readyz', schemas.ReadinessDocument],
])('%s answers with what it promises', async (url, schema) => {
  const reply = await edge.inject({ url, headers: { authorization: `Bearer ${GOOD_TOKEN}` } });
  expect(Check(schema, reply.json())).toBe(true);
});

it('refusals are what the problem schema promises', async () => {
  const reply = await edge.inject('/v1/whoami');
  expect(Check(schemas.ProblemSchema, reply.json())).toBe(true);
  expect(refused('EAUTH').problem.code).toBe(reply.json().code);
});
