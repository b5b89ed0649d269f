import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';

/** Tells whether data fits; if not, `errors` says why. */
export interface Validator {
  (data: unknown): boolean;
  errors: readonly ErrorObject[] | null;
}

interface Route {
  readonly schema: unknown;
  /** `body`, `params`, `querystring`, `headers`. */
  readonly httpPart?: string;
}

/**
 * How requests are held against the schemas of their routes. Nothing is guessed, filled in or dropped: what does not fit is
 * refused. Our own schemas are not held against the schema of schemas, and each is compiled when its first request comes, or
 * in the idle time behind the start: compiling all of them took a tenth of it.
 */
export class RequestValidators {
  readonly #ajv = new Ajv({
    validateSchema: false,
    meta: false,
    strict: false,
    coerceTypes: false,
    removeAdditional: false,
    useDefaults: false,
    allErrors: false,
  });
  readonly #bodies: (() => void)[] = [];

  readonly compiler = ({ schema, httpPart }: Route): Validator => {
    let compiled: ValidateFunction | undefined;
    const made = (): ValidateFunction => {
      compiled ??= this.#ajv.compile(schema as object);
      return compiled;
    };
    if (httpPart === 'body') this.#bodies.push(made);
    const validate: Validator = Object.assign(
      (data: unknown): boolean => {
        const own = made();
        const fits = own(data) === true;
        validate.errors = own.errors ?? null;
        return fits;
      },
      { errors: null },
    );
    return validate;
  };

  /** Compiles those of bodies, which are the large ones, one in each turn of the event loop. */
  warm(): void {
    const one = this.#bodies.shift();
    if (one === undefined) return;
    setImmediate(() => {
      try {
        one();
      } catch {
        // A defect of ours, which the first request that needs it will show.
      }
      this.warm();
    });
  }
}
