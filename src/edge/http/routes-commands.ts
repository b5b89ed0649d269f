import type { CoreApi } from '../../broker/core-api.ts';
import { commandDocument, commandRequest } from './command-body.ts';
import { credentialOf } from './credential.ts';
import { deadlineOf } from './deadline.ts';
import { answers, sendProblem, sendResult } from './replies.ts';
import { RequestHandles } from './request-handles.ts';
import { CommandAnswerDocument, CommandBody, DecisionDocument, OfferedDocument, SwitchParam } from './schemas.ts';
import type { EdgeServer } from './server-type.ts';

/** Running a command, asking whether it would run, and what there is to run. */
export function addCommandRoutes(app: EdgeServer, core: CoreApi): void {
  const handles = new RequestHandles(core);
  app.post(
    '/v1/switches/:switch/commands',
    {
      schema: {
        operationId: 'submitCommand',
        summary: 'Run a command',
        description:
          'A return code of the device other than 0 is not an HTTP error: the call was completed. The header ' +
          '`cci-deadline-ms` says within how many milliseconds the command has to be sent; else it is refused. A ' +
          'client that closes the connection takes back a command that was not sent yet.',
        tags: ['commands'],
        params: SwitchParam,
        body: CommandBody,
        response: answers('the device answered, or took the command', CommandAnswerDocument),
      },
    },
    async (request, reply) => {
      const deadline = deadlineOf(request.raw);
      if (!deadline.ok) return sendProblem(reply, deadline.problem);
      const { deadlineMs } = deadline;
      const answer = await core.submit(credentialOf(request.raw), request.params.switch, commandRequest(request.body), {
        handle: handles.untilClosed(reply.raw),
        ...(deadlineMs === undefined ? {} : { deadlineMs }),
      });
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
        description:
          'Vendor commands that the policy describes are here with JSON Schemas of their parameters and results: they differ from broker to broker, so this document has none of them.',
        tags: ['commands'],
        params: SwitchParam,
        response: answers('one row per command', OfferedDocument),
      },
    },
    async (request, reply) => sendResult(reply, await core.commands(credentialOf(request.raw), request.params.switch)),
  );
}
