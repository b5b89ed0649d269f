import { expect, it } from 'vitest';
import { switchFree } from '../../../src/broker/pipeline/switch-free.ts';

const request = { id: 'r', source: 's', startedMs: 0, deadlineMs: 5 };
const yes = async () => true;
const no = async () => false;

function held(failure?: object, isHeld = true) {
  const asked: unknown[] = [];
  const device = {
    isHeld,
    untilFree: async (asker: unknown) => {
      asked.push(asker);
      return failure;
    },
  };
  return { asked, runtime: { device } as never };
}

it('a switch that is nobody else’s is not waited for, and the token is not looked at', async () => {
  const { asked, runtime } = held({ errno: 'EBUSY' }, false);
  expect(await switchFree(request, no, runtime)).toBeUndefined();
  expect(asked).toEqual([]);
});

it('one that comes free is used, as long as the token is good', async () => {
  const { asked, runtime } = held();
  expect(await switchFree(request, yes, runtime)).toBeUndefined();
  expect(asked).toEqual([request]);
  expect(await switchFree(request, no, runtime)).toEqual({
    code: 'EAUTH',
    detail: 'the token expired or was revoked while the command waited',
    returnCode: 2,
  });
});

it.each([
  [
    { errno: 'EBUSY', text: 'the switch is in use' },
    { code: 'EBUSY', detail: 'the command was not sent: the switch is in use', returnCode: 6 },
  ],
  [
    { errno: 'EAGAIN', text: 'too late', retryAfterMs: 1000, noTurn: 'deadline' },
    {
      code: 'EAGAIN',
      detail: 'the command was not sent: too late',
      returnCode: 5,
      retryAfterMs: 1000,
      limit: 'deadline',
    },
  ],
])('one that does not come free refuses: %j', async (failure, refusal) => {
  expect(await switchFree(request, yes, held(failure).runtime)).toStrictEqual(refusal);
});
