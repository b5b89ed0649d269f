import { expect, it } from 'vitest';
import { Behind } from '../../../src/broker/pipeline/behind.ts';
import { turns } from '../../support/turns.ts';

it('does what no reply waits for behind the replies of the turn, in order', async () => {
  const done: string[] = [];
  const behind = new Behind(() => done.push('failed'));
  behind.add(() => done.push('first'));
  behind.add(() => done.push('second'));
  setImmediate(() => done.push('a reply at the end of the turn'));
  await turns(3);
  expect(done).toEqual(['a reply at the end of the turn', 'first', 'second']);
});

it('goes on with the others where one fails, and takes more after that', async () => {
  const done: string[] = [];
  const behind = new Behind((error) => done.push(String(error)));
  behind.add(() => {
    throw new Error('label');
  });
  behind.add(() => done.push('second'));
  await turns(3);
  behind.add(() => done.push('third'));
  await turns(3);
  expect(done).toEqual(['Error: label', 'second', 'third']);
});
