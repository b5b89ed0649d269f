import { err, ok, type Result } from '../../cci/index.ts';
import { FABRIC_TENANT, isTenantName, type TokenScope, tokenScopes } from '../../policy/index.ts';
import { type Algorithm, algorithmRow, algorithms } from './algorithms.ts';
import { type Binding, bindings, type IssuerConfig } from './issuer-schema.ts';

/** `iss` of the local development issuer. No other issuer may use it. */
export const DEVELOPMENT_ISSUER = 'https://cci-broker.local/dev';
/** `aud` of its tokens unless the configuration says otherwise. */
export const DEVELOPMENT_AUDIENCE = 'cci-broker';

const MINUTE_MS = 60_000;
const DAY_MS = 1440 * MINUTE_MS;

/** Stands in `tenants` for every tenant of the fabric file except `fabric`. */
export const EVERY_TENANT = '*';

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
      readonly caFile: string | undefined;
    }
  | { readonly kind: 'development'; readonly directory: string | undefined };

/** An issuer's configuration with every default filled in. */
export interface IssuerRules {
  readonly issuer: string;
  readonly audiences: readonly string[];
  readonly algorithms: readonly Algorithm[];
  readonly keys: KeyOrigin;
  /** Ways to the claims: names of members, outermost first. */
  readonly tenantClaim: readonly string[];
  readonly groupsClaim: readonly string[];
  readonly scopeClaim: readonly string[];
  /** Names in tokens to names here; undefined: they are the same. */
  readonly tenantNames: ReadonlyMap<string, string> | undefined;
  readonly scopeNames: ReadonlyMap<string, TokenScope> | undefined;
  readonly require: Binding;
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
    if (config.jwks_insecure_loopback === true && options.production === true) {
      problems.push(`issuers[${index}]: \`jwks_insecure_loopback\` is not accepted in production`);
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
  problems.push(...scopeNameProblems(config));
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
  problems.push(...scopeNameProblems(config));
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
    tenantClaim: pathOf(config.tenant_claim, 'tenant'),
    groupsClaim: pathOf(config.groups_claim, 'groups'),
    scopeClaim: pathOf(config.scope_claim, 'scope'),
    tenantNames: config.tenant_names === undefined ? undefined : new Map(Object.entries(config.tenant_names)),
    scopeNames: scopeNamesOf(config),
    require: config.require ?? 'none',
    tenants: new Set(config.tenants ?? [EVERY_TENANT]),
    maxAgeMs: config.max_age_ms,
    maxLifetimeMs: config.max_lifetime_ms ?? DAY_MS,
    clockToleranceMs: config.clock_tolerance_ms ?? 5000,
  };
}

function pathOf(claim: string | readonly string[] | undefined, fallback: string): readonly string[] {
  return typeof claim === 'string' ? [claim] : (claim ?? [fallback]);
}

function scopeNamesOf({ scope_names: all }: IssuerConfig): ReadonlyMap<string, TokenScope> | undefined {
  if (all === undefined) return undefined;
  const map = new Map<string, TokenScope>();
  for (const [theirs, ours] of Object.entries(all)) {
    const scope = tokenScopes.find((known) => known === ours);
    if (scope !== undefined) map.set(theirs, scope);
  }
  return map;
}

function scopeNameProblems({ scope_names: all = {} }: IssuerConfig): readonly string[] {
  return Object.values(all)
    .filter((ours) => !tokenScopes.some((known) => known === ours))
    .map((ours) => `\`scope_names\`: there is no scope \`${ours}\`, only ${tokenScopes.join(', ')}`);
}

function audiencesOf({ audience = [] }: IssuerConfig): readonly string[] {
  const list = typeof audience === 'string' ? [audience] : audience;
  return list.some((one) => one === '') ? [] : list;
}

function keyOrigin(config: IssuerConfig): Result<KeyOrigin, string> {
  const { jwks_file: path, jwks_url: url, jwks_ca_file: caFile, jwks_insecure_loopback: insecure } = config;
  if (url === undefined && (caFile !== undefined || insecure !== undefined)) {
    return err('`jwks_ca_file` and `jwks_insecure_loopback` mean nothing without `jwks_url`');
  }
  if (path !== undefined && url !== undefined) return err('give `jwks_file` or `jwks_url`, not both');
  if (path !== undefined) return path === '' ? err('`jwks_file` is empty') : ok({ kind: 'file', path });
  if (url === undefined) return err('`jwks_file` or `jwks_url` is required');
  const flaw = urlFlaw(url, insecure === true);
  if (flaw !== undefined) return err(flaw);
  const origin = {
    kind: 'url',
    url,
    refreshMs: config.jwks_refresh_ms ?? 10 * MINUTE_MS,
    outageMs: config.jwks_outage_ms ?? DAY_MS,
    cooldownMs: config.jwks_cooldown_ms ?? 30_000,
    timeoutMs: config.jwks_timeout_ms ?? 5000,
    caFile,
  } as const;
  if (origin.outageMs < origin.refreshMs) return err('`jwks_outage_ms` is shorter than `jwks_refresh_ms`');
  return ok(origin);
}

/** Addresses only: the name `localhost` is looked up, and what a lookup answers is not ours. */
const loopbackHost = /^(127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])$/;

function urlFlaw(url: string, insecureLoopback: boolean): string | undefined {
  if (!URL.canParse(url)) return '`jwks_url` is not a URL';
  const { protocol, hostname, username, password } = new URL(url);
  if (username !== '' || password !== '') return '`jwks_url` must not hold credentials';
  if (protocol === 'https:') return undefined;
  if (protocol === 'http:' && insecureLoopback && loopbackHost.test(hostname)) return undefined;
  return '`jwks_url` must be https (http only at 127.0.0.1 and [::1], and with `jwks_insecure_loopback: true`)';
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
  for (const path of claims) {
    const [first = ''] = path;
    if (path.includes('') || registered.has(first))
      problems.push(`\`${path.join('.')}\` can not serve as tenant, groups or scope claim`);
  }
  if (new Set(claims.map((path) => JSON.stringify(path))).size !== claims.length) {
    problems.push('tenant, groups and scope must be different claims');
  }
  for (const tenant of rules.tenantNames?.values() ?? []) {
    if (!isTenantName(tenant)) problems.push(`\`tenant_names\`: \`${tenant}\` is not a tenant's name`);
  }
  if (!bindings.includes(rules.require)) problems.push(`\`require\` must be one of ${bindings.join(', ')}`);
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
