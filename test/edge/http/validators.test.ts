import { expect, it } from 'vitest';
import { RequestValidators } from '../../../src/edge/http/validators.ts';
import { turns } from '../../support/turns.ts';

/** A schema that tells when somebody looks into it, which is when it is compiled. */
function watched(type: string): { readonly schema: unknown; readonly looks: () => number } {
  let looks = 0;
  const get = (inner: object, name: string | symbol): unknown => {
    if (name === 'type') looks += 1;
    return Reflect.get(inner, name);
  };
  const schema = new Proxy({ type }, { get });
  return { schema, looks: () => looks };
}

it('compiles nothing at first, then the bodies one after the other, and the rest when it is asked for', async () => {
  const validators = new RequestValidators();
  const [first, second, query] = [watched('object'), watched('string'), watched('object')];
  const validateFirst = validators.compiler({ schema: first.schema, httpPart: 'body' });
  const validateSecond = validators.compiler({ schema: second.schema, httpPart: 'body' });
  const validateQuery = validators.compiler({ schema: query.schema, httpPart: 'querystring' });
  await turns(2);
  expect([first, second, query].map(({ looks }) => looks() > 0)).toEqual([false, false, false]);
  validators.warm();
  await turns(4);
  expect([first, second, query].map(({ looks }) => looks() > 0)).toEqual([true, true, false]);
  const before = first.looks();
  expect([validateFirst({}), validateFirst('no'), validateSecond('yes'), validateQuery(1)]).toEqual([
    true,
    false,
    true,
    false,
  ]);
  expect(validateFirst.errors).toMatchObject([{ keyword: 'type' }]);
  expect(first.looks()).toBe(before);
});

it('leaves a schema that cannot be compiled to the first request that needs it', async () => {
  const validators = new RequestValidators();
  const validate = validators.compiler({ schema: { type: 'no such type' }, httpPart: 'body' });
  const after = watched('object');
  validators.compiler({ schema: after.schema, httpPart: 'body' });
  validators.warm();
  await turns(4);
  expect(after.looks()).toBeGreaterThan(0);
  expect(() => validate({})).toThrow();
});
