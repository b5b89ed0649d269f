import { type Static, Type } from '../../schema/index.ts';
import { type Algorithm, algorithms } from './algorithms.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

const text = (description: string) => Type.String({ minLength: 1, maxLength: 512, description });
const ClaimName = Type.String({ minLength: 1, maxLength: 128 });
/** A member of the token, or the way to one inside objects. A name is taken as it is: dots and slashes mean nothing. */
const claim = (fallback: string, description: string) =>
  Type.Optional(
    Type.Union([ClaimName, Type.Array(ClaimName, { minItems: 1, maxItems: 8 })], {
      default: fallback,
      description: `${description}; a list leads into objects: [realm_access, roles]`,
    }),
  );
const names = (values: string, description: string) =>
  Type.Optional(
    Type.Record(Type.String({ minLength: 1, maxLength: 256 }), Type.String({ pattern: values }), {
      maxProperties: 256,
      description,
    }),
  );
const span = (minimum: number, maximum: number, fallback: number, description: string) =>
  Type.Optional(Type.Integer({ minimum, maximum, default: fallback, description }));

/** What holders of an issuer's tokens have to prove. */
export const bindings = ['none', 'dpop', 'mtls', 'dpop-command'] as const;
export type Binding = (typeof bindings)[number];

const AlgorithmName = Type.Unsafe<Algorithm>({ type: 'string', enum: [...algorithms] });

/** One entry of `issuers` in the broker's configuration. `checkIssuers` knows what a schema cannot say. */
export const IssuerConfig = Type.Object(
  {
    kind: Type.Optional(
      Type.Union([Type.Literal('standard'), Type.Literal('development')], {
        default: 'standard',
        description: 'development: the local issuer, whose key is made on first start; all it needs has a default',
      }),
    ),
    issuer: Type.Optional(text('`iss` of its tokens, compared character by character; required')),
    audience: Type.Optional(
      Type.Union(
        [text('`aud` that its tokens must hold'), Type.Array(text('one of these'), { minItems: 1, maxItems: 16 })],
        {
          description: '`aud` that its tokens must hold; of several, one; required',
        },
      ),
    ),
    algorithms: Type.Optional(
      Type.Array(AlgorithmName, {
        minItems: 1,
        description: 'Signature algorithms it uses, asymmetric ones only; required',
      }),
    ),
    jwks_file: Type.Optional(text('Its public keys, a JWK set in a file')),
    jwks_url: Type.Optional(text('Its public keys, a JWK set behind https')),
    jwks_ca_file: Type.Optional(text('jwks_url: certificates (PEM) to trust there, instead of those of the system')),
    jwks_insecure_loopback: Type.Optional(
      Type.Literal(true, {
        description: 'jwks_url: allows http at 127.0.0.1 and [::1], for tests; never in production',
      }),
    ),
    require: Type.Optional(
      Type.Enum([...bindings], {
        default: 'none',
        description:
          'What a client has to prove besides holding the token. dpop: a key (RFC 9449); mtls: a certificate (RFC 8705); ' +
          'dpop-command: a key, for each command by itself. A token that is bound is held to it whatever stands here',
      }),
    ),
    directory: Type.Optional(text('development only: where the key lives')),
    tenant_claim: claim('tenant', 'Member of the token that names the tenant'),
    groups_claim: claim('groups', 'Member that lists groups'),
    scope_claim: claim('scope', 'Member that lists scopes: one string with spaces between them, or a list'),
    tenant_names: names(
      '^[a-z][a-z0-9-]{0,62}$',
      'What the tenants are called in its tokens, to their names here; only those listed count. Without it: as here',
    ),
    scope_names: names(
      '^cci:[a-z-]{1,32}$',
      'What the scopes are called in its tokens, to their names here; only those listed count. Without it: as here',
    ),
    tenants: Type.Optional(
      Type.Array(Type.String({ pattern: '^(\\*|[a-z][a-z0-9-]{0,62})$' }), {
        minItems: 1,
        description:
          "Tenants it may speak for; `*` is every one but `fabric`, which must be named. Without this key: ['*']",
      }),
    ),
    max_age_ms: Type.Optional(
      Type.Integer({
        minimum: 1000,
        maximum: 365 * DAY_MS,
        description: 'Oldest token by its `iat`, which is then required',
      }),
    ),
    max_lifetime_ms: span(1000, 365 * DAY_MS, DAY_MS, 'Longest life of a token, from `iat` and from now'),
    clock_tolerance_ms: span(0, MINUTE_MS, 5000, 'For `nbf` and `iat`; never lengthens the life of a token'),
    jwks_refresh_ms: span(1000, DAY_MS, 10 * MINUTE_MS, 'jwks_url: keys older than this are fetched again'),
    jwks_outage_ms: span(1000, 7 * DAY_MS, DAY_MS, 'jwks_url: keys older than this are trusted no longer'),
    jwks_cooldown_ms: span(100, HOUR_MS, 30_000, 'jwks_url: least time between two fetches'),
    jwks_timeout_ms: span(100, MINUTE_MS, 5000, 'jwks_url: longest time for one fetch'),
  },
  { additionalProperties: false },
);
export type IssuerConfig = Static<typeof IssuerConfig>;
