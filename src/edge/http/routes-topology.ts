import type { CoreApi } from '../../broker/core-api.ts';
import { Type } from '../../schema/index.ts';
import { credentialOf } from './credential.ts';
import { answers, sendResult } from './replies.ts';
import { SwitchParam, TaintDocument } from './schemas.ts';
import type { EdgeServer } from './server-type.ts';

const closed = { additionalProperties: false } as const;
const reason = Type.String({ minLength: 1, maxLength: 500, description: 'goes into the journal' });

const AcceptBody = Type.Object(
  {
    reason,
    picture: Type.Optional(
      Type.String({
        pattern: '^[0-9a-f]{16}$',
        description: 'name of the picture that was looked at: refused where it is another one by now',
      }),
    ),
  },
  closed,
);

const AcknowledgeBody = Type.Object(
  {
    letter: Type.String({ pattern: '^[A-Z]$', description: 'letter of the taint register' }),
    scope: Type.String({
      pattern: '^/switches/[a-z][a-z0-9-]{0,31}(/[0-9a-z-]{1,36}){0,8}$',
      description: 'path that it was raised on',
      examples: ['/switches/sw0/ports/3'],
    }),
    reason,
  },
  closed,
);

export const TopologyDocument = Type.Object({
  switch: Type.String(),
  known: Type.Boolean({ description: 'false while the switch cannot be read: what rests on it is refused' }),
  accepted: Type.Boolean({ description: 'false while something moved without the broker and nobody accepted it' }),
  picture: Type.Optional(Type.String({ description: 'name of the picture, for operators' })),
  ports: Type.Array(
    Type.Object({
      id: Type.Integer(),
      role: Type.String(),
      device: Type.String(),
      lds: Type.Integer(),
      serial: Type.Optional(Type.String()),
    }),
  ),
  vcss: Type.Array(
    Type.Object({
      id: Type.Integer(),
      usp: Type.Integer(),
      vppbs: Type.Array(
        Type.Object({ kind: Type.String(), port: Type.Optional(Type.Integer()), ld: Type.Optional(Type.Integer()) }),
      ),
    }),
  ),
  differences: Type.Array(
    Type.Object({ what: Type.String(), before: Type.String(), after: Type.String(), atMs: Type.Number() }),
  ),
});

/** What is where, what moved, and an operator's word that he has seen it. */
export function addTopologyRoutes(app: EdgeServer, core: CoreApi): void {
  app.get(
    '/v1/switches/:switch/topology',
    {
      schema: {
        operationId: 'getTopology',
        summary: 'Ports and bindings as the broker knows them, and what moved without it',
        tags: ['views'],
        params: SwitchParam,
        response: answers('the picture: all of it for operators, his own part for a tenant', TopologyDocument),
      },
    },
    async (request, reply) => sendResult(reply, await core.topology(credentialOf(request.raw), request.params.switch)),
  );

  app.post(
    '/v1/switches/:switch/topology/accept',
    {
      schema: {
        operationId: 'acceptTopology',
        summary: 'Take the fabric as it is: what moved without the broker freezes nothing any more',
        tags: ['posture'],
        params: SwitchParam,
        body: AcceptBody,
        response: answers('the picture after it', TopologyDocument),
      },
    },
    async (request, reply) => {
      const { reason: why, picture } = request.body;
      return sendResult(
        reply,
        await core.acceptTopology(credentialOf(request.raw), request.params.switch, why, picture),
      );
    },
  );

  app.post(
    '/v1/taint/acknowledge',
    {
      schema: {
        operationId: 'acknowledgeTaint',
        summary: 'Say that a taint was looked at: rules and alarms of it are lifted, the bit stays',
        tags: ['posture'],
        body: AcknowledgeBody,
        response: answers('the registers after it', TaintDocument),
      },
    },
    async (request, reply) => {
      const { letter, scope, reason: why } = request.body;
      return sendResult(reply, await core.acknowledgeTaint(credentialOf(request.raw), letter, scope, why));
    },
  );
}
