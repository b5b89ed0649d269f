import type { CoreApi } from '../../broker/core-api.ts';
import { credentialOf } from './credential.ts';
import { answers, sendResult } from './replies.ts';
import {
  EmptyBody,
  LockdownBody,
  OperationDocument,
  OperationParam,
  OperationsDocument,
  PostureDocument,
  ReloadDocument,
  SwitchesDocument,
  SwitchParam,
  TaintDocument,
  WhoAmIDocument,
} from './schemas.ts';
import type { EdgeServer } from './server-type.ts';

/** Who the caller is and what he can see. */
export function addViewRoutes(app: EdgeServer, core: CoreApi): void {
  app.get(
    '/v1/whoami',
    {
      schema: {
        operationId: 'whoami',
        summary: 'Who the token says that the caller is',
        tags: ['views'],
        response: answers('the principal', WhoAmIDocument),
      },
    },
    async (request, reply) => sendResult(reply, await core.whoami(credentialOf(request.raw))),
  );

  app.get(
    '/v1/switches',
    {
      schema: {
        operationId: 'listSwitches',
        summary: 'Switches on which the caller has something',
        tags: ['views'],
        response: answers('one entry per switch', SwitchesDocument),
      },
    },
    async (request, reply) => sendResult(reply, await core.switches(credentialOf(request.raw))),
  );

  app.get(
    '/v1/switches/:switch/operations',
    {
      schema: {
        operationId: 'listOperations',
        summary: 'Background operations of the caller',
        tags: ['views'],
        params: SwitchParam,
        response: answers('one entry per operation', OperationsDocument),
      },
    },
    async (request, reply) =>
      sendResult(reply, await core.operations(credentialOf(request.raw), request.params.switch)),
  );

  app.get(
    '/v1/switches/:switch/operations/:id',
    {
      schema: {
        operationId: 'getOperation',
        summary: 'One background operation of the caller',
        tags: ['views'],
        params: OperationParam,
        response: answers('the operation', OperationDocument),
      },
    },
    async (request, reply) =>
      sendResult(reply, await core.operation(credentialOf(request.raw), request.params.switch, request.params.id)),
  );
}

/** Lockdown, taint, policy. */
export function addPostureRoutes(app: EdgeServer, core: CoreApi): void {
  app.get(
    '/v1/posture',
    {
      schema: {
        operationId: 'getPosture',
        summary: 'Lockdown, profile, raw option and taint of each switch',
        tags: ['posture'],
        response: answers('one entry per switch', PostureDocument),
      },
    },
    async (request, reply) => sendResult(reply, await core.posture(credentialOf(request.raw))),
  );

  app.post(
    '/v1/posture/lockdown',
    {
      schema: {
        operationId: 'raiseLockdown',
        summary: 'Raise the lockdown level; it never falls before the next boot',
        tags: ['posture'],
        body: LockdownBody,
        response: answers('the posture after it', PostureDocument),
      },
    },
    async (request, reply) =>
      sendResult(reply, await core.raiseLockdown(credentialOf(request.raw), request.body.level, request.body.reason)),
  );

  app.get(
    '/v1/taint',
    {
      schema: {
        operationId: 'getTaint',
        summary: 'The taint register of each switch, with who raised which bit when',
        tags: ['posture'],
        response: answers('one entry per switch', TaintDocument),
      },
    },
    async (request, reply) => sendResult(reply, await core.taint(credentialOf(request.raw))),
  );

  app.post(
    '/v1/policy/reload',
    {
      schema: {
        operationId: 'reloadPolicy',
        summary: 'Load the policy files again; the new snapshot is in force or the old one still is',
        tags: ['posture'],
        body: EmptyBody,
        response: answers('the snapshot in force', ReloadDocument),
      },
    },
    async (request, reply) => sendResult(reply, await core.reloadPolicy(credentialOf(request.raw))),
  );
}
