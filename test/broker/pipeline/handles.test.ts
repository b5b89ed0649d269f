import { expect, it } from 'vitest';
import { handmadePipeline, readPorts } from '../../support/handmade-pipeline.ts';
import { BY_ACME } from '../../support/handmade-switch.ts';

it('a handle is free again when its request is answered, refused, or fails in the broker itself', async () => {
  const { made, submit } = handmadePipeline();
  const named = () => submit(readPorts, BY_ACME, { handle: 'h' });
  expect(await named()).toMatchObject({ ok: true });
  expect(
    await submit({ kind: 'named', command: 'no-such-command', params: {} }, BY_ACME, { handle: 'h' }),
  ).toMatchObject({
    ok: false,
    problem: { code: 'EPARAM' },
  });
  const { nowMs } = made.services;
  Object.assign(made.services, {
    nowMs: () => {
      throw new Error('no clock');
    },
  });
  await expect(named()).rejects.toThrow('no clock');
  Object.assign(made.services, { nowMs });
  expect(await named()).toMatchObject({ ok: true });
});

it('a handle that is in use is refused to a second request, and stays with the first', async () => {
  const { made, pipeline, submit } = handmadePipeline();
  const answer = made.answer;
  let release = (): void => {};
  const gate = new Promise<void>((done) => {
    release = done;
  });
  made.answer = async (command) => {
    await gate;
    return answer(command);
  };
  const first = submit(readPorts, BY_ACME, { handle: 'h' });
  expect(await submit(readPorts, BY_ACME, { handle: 'h' })).toMatchObject({ ok: false });
  pipeline.cancel('unknown');
  release();
  expect(await first).toMatchObject({ ok: true });
  expect(await submit(readPorts, BY_ACME, { handle: 'h' })).toMatchObject({ ok: true });
});
