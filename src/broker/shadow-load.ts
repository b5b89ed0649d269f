import {
  engineOf,
  type Fabric,
  formatLoadError,
  type ReadPolicy,
  type RuleEngine,
  readPolicy,
} from '../policy/index.ts';
import type { BrokerConfig } from './config/index.ts';
import { Shadow } from './shadow.ts';

/** A candidate as it was read, before anything is built of it. */
export type ReadShadow =
  | { readonly ok: true; readonly read: ReadPolicy | undefined }
  | { readonly ok: false; readonly problems: readonly string[] };

/** Reads the candidate of the configuration with the same strict loader; a mistake in it refuses both. */
export async function readShadow({ shadow, file, profile }: BrokerConfig, fabric: Fabric): Promise<ReadShadow> {
  if (shadow === undefined) return { ok: true, read: undefined };
  const strangers = shadow.tenants.filter((tenant) => !fabric.tenants.includes(tenant));
  if (strangers.length > 0) {
    return {
      ok: false,
      problems: strangers.map((name) => `${file}: tenant \`${name}\` of \`policy.shadow\` is not in the fabric file`),
    };
  }
  const read = await readPolicy({ directory: shadow.directory, fabric, profile });
  if (read.ok) return { ok: true, read: read.value };
  return { ok: false, problems: read.error.map((error) => `candidate ${shadow.directory}: ${formatLoadError(error)}`) };
}

/** The candidate beside the engine in force; undefined where the configuration has none. */
export async function buildShadow(
  { shadow }: BrokerConfig,
  read: ReadPolicy | undefined,
  inForce: RuleEngine,
  onFailure: (error: unknown) => void,
): Promise<Shadow | undefined> {
  if (shadow === undefined || read === undefined) return undefined;
  const candidate = await engineOf(read, inForce.fabric);
  return new Shadow({ inForce, candidate, tenants: new Set(shadow.tenants), onFailure });
}
