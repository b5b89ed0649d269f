import type { CoreApi } from '../../broker/core-api.ts';
import { Type } from '../../schema/index.ts';
import { credentialOf } from './credential.ts';
import { answers, sendResult } from './replies.ts';
import type { EdgeServer } from './server-type.ts';

const closed = { additionalProperties: false } as const;
const reason = Type.String({ minLength: 1, maxLength: 500, description: 'goes into the journal' });
const kind = Type.Union([
  Type.Literal('token'),
  Type.Literal('subject'),
  Type.Literal('tenant'),
  Type.Literal('key', { description: 'one that signs tokens, or one that they are bound to' }),
]);

const RevocationBody = Type.Union([
  Type.Object(
    {
      kind,
      name: Type.String({
        minLength: 1,
        maxLength: 1024,
        description:
          'jti:ISSUER#JTI or sha256:DIGEST, user:ISSUER#SUB, a tenant, a thumbprint or kid:ISSUER#KID; with `issuer` ' +
          'beside it the bare jti, sub or kid',
      }),
      issuer: Type.Optional(Type.String({ minLength: 1, maxLength: 512 })),
      reason,
      expiresAtMs: Type.Optional(
        Type.Integer({
          minimum: 0,
          description: 'when it ends by itself, milliseconds since 1970; never if not given',
        }),
      ),
    },
    closed,
  ),
  Type.Object(
    {
      lift: Type.String({ minLength: 1, maxLength: 64, description: 'id of a revocation that is to end now' }),
      reason,
    },
    closed,
  ),
]);

const RevocationsDocument = Type.Array(
  Type.Object({
    id: Type.String(),
    kind,
    name: Type.String(),
    by: Type.String(),
    atMs: Type.Number(),
    reason: Type.String(),
    expiresAtMs: Type.Optional(Type.Number()),
  }),
);

/** Tokens that are taken back before their time. */
export function addRevocationRoutes(app: EdgeServer, core: CoreApi): void {
  app.get(
    '/v1/revocations',
    {
      schema: {
        operationId: 'listRevocations',
        summary: 'Revocations in force, for operators',
        tags: ['posture'],
        response: answers('one entry per revocation, oldest first', RevocationsDocument),
      },
    },
    async (request, reply) => sendResult(reply, await core.revocations(credentialOf(request.raw))),
  );

  app.post(
    '/v1/revocations',
    {
      schema: {
        operationId: 'revoke',
        summary: 'Revoke tokens by id, subject, tenant or key, at once; or lift a revocation',
        tags: ['posture'],
        body: RevocationBody,
        response: answers('the revocations in force after it', RevocationsDocument),
      },
    },
    async (request, reply) => sendResult(reply, await core.revoke(credentialOf(request.raw), request.body)),
  );
}
