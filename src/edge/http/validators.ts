import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';

/** Tells whether data fits; if not, `errors` says why. */
export interface Validator {
  (data: unknown): boolean;
  errors: readonly ErrorObject[] | null;
}

/**
 * How requests are held against the schemas of their routes. Nothing is guessed, filled in or dropped: what does not fit is
 * refused. Our own schemas are not held against the schema of schemas, and each is compiled when its first request comes:
 * compiling all of them took a tenth of the broker's start.
 */
export function requestValidators(): (route: { readonly schema: unknown }) => Validator {
  const ajv = new Ajv({
    validateSchema: false,
    meta: false,
    strict: false,
    coerceTypes: false,
    removeAdditional: false,
    useDefaults: false,
    allErrors: false,
  });
  return ({ schema }) => {
    let compiled: ValidateFunction | undefined;
    const validate: Validator = Object.assign(
      (data: unknown): boolean => {
        compiled ??= ajv.compile(schema as object);
        const fits = compiled(data) === true;
        validate.errors = compiled.errors ?? null;
        return fits;
      },
      { errors: null },
    );
    return validate;
  };
}
