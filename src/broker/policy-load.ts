import type { Logger } from 'pino';
import {
  createSnapshot,
  engineOf,
  FABRIC_TENANT,
  formatLoadError,
  loadFabric,
  type RuleEngine,
  readPolicy,
} from '../policy/index.ts';
import type { BrokerConfig } from './config/index.ts';
import type { LoadPolicy } from './policy-holder.ts';
import { buildShadow, readShadow } from './shadow-load.ts';

/**
 * Reads fabric and policy of a configuration, the candidate beside it included. Nothing is touched but these files.
 *
 * @param wrapEngine puts something between the decision and the policy engine
 */
export function policyLoader(
  config: BrokerConfig,
  wrapEngine: ((engine: RuleEngine) => RuleEngine) | undefined,
  log: Logger,
): LoadPolicy {
  /** The candidate that was loaded last, with the policy in force or not at all. */
  let shadowed: string | undefined;
  return async (unless) => {
    const fabric = loadFabric(config.fabric);
    if (!fabric.ok) return { ok: false, problems: fabric.error.map(formatLoadError) };
    const strangers = config.tenantsNamed.filter(
      (tenant) => tenant !== FABRIC_TENANT && !fabric.value.tenants.includes(tenant),
    );
    if (strangers.length > 0) {
      return {
        ok: false,
        problems: strangers.map(
          (name) => `${config.file}: tenant \`${name}\` of \`tenants\` is not in ${config.fabric}`,
        ),
      };
    }
    const missing = [...config.switches.keys()].filter((name) => !fabric.value.switches.has(name));
    if (missing.length > 0) {
      return { ok: false, problems: missing.map((name) => `${config.fabric}: there is no switch \`${name}\` in it`) };
    }
    const read = await readPolicy({
      directory: config.policyDirectory,
      fabric: fabric.value,
      profile: config.profile,
    });
    if (!read.ok) return { ok: false, problems: read.error.map(formatLoadError) };
    const candidate = await readShadow(config, fabric.value);
    if (!candidate.ok) return candidate;
    if (read.value.id === unless && candidate.read?.id === shadowed) return { ok: true, policy: undefined };
    const built = await engineOf(read.value, fabric.value);
    const engine = wrapEngine?.(built) ?? built;
    const snapshot = createSnapshot(engine, { discloseReasons: config.discloseReasons });
    const shadow = await buildShadow(config, candidate.read, engine, (error) =>
      log.error({ err: error }, 'a decision could not be taken under the candidate policy'),
    );
    shadowed = shadow?.id;
    const beside = shadow === undefined ? {} : { shadow };
    return { ok: true, policy: { engine, snapshot, rules: read.value.rules, ...beside } };
  };
}
