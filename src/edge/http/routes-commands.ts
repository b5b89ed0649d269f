import type { CoreApi } from '../../broker/core-api.ts';
import { commandDocument, commandRequest } from './command-body.ts';
import { credentialOf } from './credential.ts';
import { answers, sendResult } from './replies.ts';
import { CommandAnswerDocument, CommandBody, DecisionDocument, OfferedDocument, SwitchParam } from './schemas.ts';
import type { EdgeServer } from './server-type.ts';

/** Running a command, asking whether it would run, and what there is to run. */
export function addCommandRoutes(app: EdgeServer, core: CoreApi): void {
  app.post(
    '/v1/switches/:switch/commands',
    {
      schema: {
        operationId: 'submitCommand',
        summary: 'Run a command',
        description: 'A return code of the device other than 0 is not an HTTP error: the call was completed.',
        tags: ['commands'],
        params: SwitchParam,
        body: CommandBody,
        response: answers('the device answered, or took the command', CommandAnswerDocument),
      },
    },
    async (request, reply) => {
      const answer = await core.submit(credentialOf(request.raw), request.params.switch, commandRequest(request.body));
      return sendResult(reply, answer, commandDocument);
    },
  );

  app.post(
    '/v1/switches/:switch/decisions',
    {
      schema: {
        operationId: 'decideCommand',
        summary: 'Decide a command without running it',
        tags: ['commands'],
        params: SwitchParam,
        body: CommandBody,
        response: answers('what would happen; as much of the why as the caller may see', DecisionDocument),
      },
    },
    async (request, reply) =>
      sendResult(
        reply,
        await core.decide(credentialOf(request.raw), request.params.switch, commandRequest(request.body)),
      ),
  );

  app.get(
    '/v1/switches/:switch/commands',
    {
      schema: {
        operationId: 'listCommands',
        summary: 'Commands that the caller is offered',
        tags: ['commands'],
        params: SwitchParam,
        response: answers('one row per command', OfferedDocument),
      },
    },
    async (request, reply) => sendResult(reply, await core.commands(credentialOf(request.raw), request.params.switch)),
  );
}
