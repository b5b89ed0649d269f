import Type, { type Static } from 'typebox';
import { err, ok, type Result } from '../../cci/index.ts';
import { FABRIC_TENANT, isTenantName } from '../../policy/index.ts';
import { type Algorithm, algorithmRow, algorithms } from './algorithms.ts';

/** `iss` of the local development issuer. No other issuer may use it. */
export const DEVELOPMENT_ISSUER = 'https://cci-broker.local/dev';
/** `aud` of its tokens unless the configuration says otherwise. */
export const DEVELOPMENT_AUDIENCE = 'cci-broker';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** Stands in `tenants` for every tenant of the fabric file except `fabric`. */
export const EVERY_TENANT = '*';

const text = (description: string) => Type.String({ minLength: 1, maxLength: 512, description });
const claim = (fallback: string, description: string) =>
  Type.Optional(Type.String({ minLength: 1, maxLength: 128, default: fallback, description }));
const span = (minimum: number, maximum: number, fallback: number, description: string) =>
  Type.Optional(Type.Integer({ minimum, maximum, default: fallback, description }));

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
    jwks_url: Type.Optional(text('Its public keys, a JWK set behind https (http on loopback only)')),
    directory: Type.Optional(text('development only: where the key lives')),
    tenant_claim: claim('tenant', 'Member of the token that names the tenant'),
    groups_claim: claim('groups', 'Member that lists groups'),
    scope_claim: claim('scope', 'Member that lists scopes, separated by spaces'),
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

/** Where an issuer's keys come from. */
export type KeyOrigin =
  | { readonly kind: 'file'; readonly path: string }
  | {
      readonly kind: 'url';
      readonly url: string;
      readonly refreshMs: number;
      readonly outageMs: number;
      readonly cooldownMs: number;
      readonly timeoutMs: number;
    }
  | { readonly kind: 'development'; readonly directory: string | undefined };

/** An issuer's configuration with every default filled in. */
export interface IssuerRules {
  readonly issuer: string;
  readonly audiences: readonly string[];
  readonly algorithms: readonly Algorithm[];
  readonly keys: KeyOrigin;
  readonly tenantClaim: string;
  readonly groupsClaim: string;
  readonly scopeClaim: string;
  /** Names, and `*`. */
  readonly tenants: ReadonlySet<string>;
  readonly maxAgeMs: number | undefined;
  readonly maxLifetimeMs: number;
  readonly clockToleranceMs: number;
}

/** May this issuer speak for the tenant? `fabric` has to be named. */
export function speaksFor(rules: IssuerRules, tenant: string): boolean {
  return rules.tenants.has(tenant) || (tenant !== FABRIC_TENANT && rules.tenants.has(EVERY_TENANT));
}

/** Members that already mean something and can not double as tenant, groups or scope. */
const registered: ReadonlySet<string> = new Set(['iss', 'sub', 'aud', 'exp', 'nbf', 'iat', 'jti', 'cnf']);

/**
 * Fills in defaults and looks for everything that must stop the broker from starting. All problems are told at once,
 * each as `issuers[0]: what is wrong and what to write`.
 */
export function checkIssuers(
  configs: readonly IssuerConfig[],
  options: { readonly production?: boolean } = {},
): Result<readonly IssuerRules[], readonly string[]> {
  const problems: string[] = [];
  const all: IssuerRules[] = [];
  if (configs.length === 0) problems.push('issuers: at least one issuer is required');
  for (const [index, config] of configs.entries()) {
    const found = config.kind === 'development' ? developmentRules(config) : standardRules(config);
    const own = found.ok ? ruleProblems(found.value, all) : found.error;
    if (config.kind === 'development' && options.production === true) {
      problems.push(`issuers[${index}]: a development issuer is not accepted in production`);
    }
    problems.push(...own.map((problem) => `issuers[${index}]: ${problem}`));
    if (found.ok) all.push(found.value);
  }
  return problems.length === 0 ? ok(all) : err(problems);
}

function standardRules(config: IssuerConfig): Result<IssuerRules, readonly string[]> {
  const problems: string[] = [];
  const { issuer = '' } = config;
  if (issuer === '') problems.push('`issuer` is required');
  if (issuer === DEVELOPMENT_ISSUER) problems.push(`\`issuer\` \`${issuer}\` is reserved for the development issuer`);
  const audiences = audiencesOf(config);
  if (audiences.length === 0) problems.push('`audience` is required');
  const names = config.algorithms ?? [];
  if (names.length === 0) problems.push('`algorithms` is required, such as [EdDSA]');
  if (config.directory !== undefined) problems.push('`directory` is for the development issuer only');
  const keys = keyOrigin(config);
  if (!keys.ok) problems.push(keys.error);
  return keys.ok && problems.length === 0 ? ok(rulesFrom(config, issuer, audiences, names, keys.value)) : err(problems);
}

function developmentRules(config: IssuerConfig): Result<IssuerRules, readonly string[]> {
  const problems: string[] = [];
  const { issuer = DEVELOPMENT_ISSUER, algorithms: names = ['EdDSA'] } = config;
  if (issuer !== DEVELOPMENT_ISSUER) problems.push(`\`issuer\` of the development issuer is \`${DEVELOPMENT_ISSUER}\``);
  if (names.some((name) => name !== 'EdDSA')) problems.push('`algorithms` of the development issuer is [EdDSA]');
  const audiences = config.audience === undefined ? [DEVELOPMENT_AUDIENCE] : audiencesOf(config);
  if (audiences.length === 0) problems.push('`audience` is empty');
  if (config.jwks_file !== undefined || config.jwks_url !== undefined) {
    problems.push('the development issuer has its own key; remove `jwks_file` and `jwks_url`');
  }
  const keys = { kind: 'development', directory: config.directory } as const;
  return problems.length === 0 ? ok(rulesFrom(config, issuer, audiences, names, keys)) : err(problems);
}

function rulesFrom(
  config: IssuerConfig,
  issuer: string,
  audiences: readonly string[],
  names: readonly Algorithm[],
  keys: KeyOrigin,
): IssuerRules {
  return {
    issuer,
    audiences,
    algorithms: names,
    keys,
    tenantClaim: config.tenant_claim ?? 'tenant',
    groupsClaim: config.groups_claim ?? 'groups',
    scopeClaim: config.scope_claim ?? 'scope',
    tenants: new Set(config.tenants ?? [EVERY_TENANT]),
    maxAgeMs: config.max_age_ms,
    maxLifetimeMs: config.max_lifetime_ms ?? DAY_MS,
    clockToleranceMs: config.clock_tolerance_ms ?? 5000,
  };
}

function audiencesOf({ audience = [] }: IssuerConfig): readonly string[] {
  const list = typeof audience === 'string' ? [audience] : audience;
  return list.some((one) => one === '') ? [] : list;
}

function keyOrigin(config: IssuerConfig): Result<KeyOrigin, string> {
  const { jwks_file: path, jwks_url: url } = config;
  if (path !== undefined && url !== undefined) return err('give `jwks_file` or `jwks_url`, not both');
  if (path !== undefined) return path === '' ? err('`jwks_file` is empty') : ok({ kind: 'file', path });
  if (url === undefined) return err('`jwks_file` or `jwks_url` is required');
  const flaw = urlFlaw(url);
  if (flaw !== undefined) return err(flaw);
  const origin = {
    kind: 'url',
    url,
    refreshMs: config.jwks_refresh_ms ?? 10 * MINUTE_MS,
    outageMs: config.jwks_outage_ms ?? DAY_MS,
    cooldownMs: config.jwks_cooldown_ms ?? 30_000,
    timeoutMs: config.jwks_timeout_ms ?? 5000,
  } as const;
  if (origin.outageMs < origin.refreshMs) return err('`jwks_outage_ms` is shorter than `jwks_refresh_ms`');
  return ok(origin);
}

/** Addresses only: the name `localhost` is looked up, and what a lookup answers is not ours. */
const loopbackHost = /^(127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])$/;

function urlFlaw(url: string): string | undefined {
  if (!URL.canParse(url)) return '`jwks_url` is not a URL';
  const { protocol, hostname, username, password } = new URL(url);
  if (username !== '' || password !== '') return '`jwks_url` must not hold credentials';
  if (protocol === 'https:' || (protocol === 'http:' && loopbackHost.test(hostname))) return undefined;
  return '`jwks_url` must be https (http is for 127.0.0.1 and [::1] only)';
}

/** What is wrong with rules that are complete, also in relation to the issuers before. */
function ruleProblems(rules: IssuerRules, before: readonly IssuerRules[]): readonly string[] {
  const problems: string[] = [];
  if (before.some(({ issuer }) => issuer === rules.issuer)) problems.push(`issuer \`${rules.issuer}\` is given twice`);
  if (!rules.issuer.isWellFormed() || /\p{C}/u.test(rules.issuer)) problems.push('`issuer` holds control characters');
  for (const name of rules.algorithms) {
    if (algorithmRow(name) === undefined) {
      problems.push(`algorithm \`${String(name)}\` is not accepted, only ${algorithms.join(', ')}`);
    }
  }
  const claims = [rules.tenantClaim, rules.groupsClaim, rules.scopeClaim];
  for (const name of claims) {
    if (name === '' || registered.has(name))
      problems.push(`\`${name}\` can not serve as tenant, groups or scope claim`);
  }
  if (new Set(claims).size !== claims.length) problems.push('tenant, groups and scope must be different claims');
  for (const tenant of rules.tenants) {
    if (tenant !== EVERY_TENANT && !isTenantName(tenant)) problems.push(`\`${tenant}\` is not a tenant's name`);
  }
  if (rules.tenants.size === 0) problems.push('`tenants` is empty');
  if (!(rules.clockToleranceMs >= 0 && rules.clockToleranceMs <= MINUTE_MS)) {
    problems.push('`clock_tolerance_ms` must be 0 to 60000');
  }
  if (!(rules.maxLifetimeMs > 0)) problems.push('`max_lifetime_ms` must be above 0');
  if (rules.maxAgeMs !== undefined && !(rules.maxAgeMs > 0)) problems.push('`max_age_ms` must be above 0');
  return problems;
}
