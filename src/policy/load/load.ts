import { createHash } from 'node:crypto';
import { err, ok, type Result } from '../../cci/index.ts';
import type { Profile } from '../../taint/index.ts';
import { createEngine } from '../casbin/engine.ts';
import type { GrantRule, PolicyRules } from '../casbin/rules.ts';
import { Slices } from '../casbin/slices.ts';
import type { RuleEngine } from '../engine.ts';
import { isTenantName } from '../names.ts';
import type { Fabric } from '../types.ts';
import { closest } from './closest.ts';
import { CommandsReader, isCommandFile } from './commands-file.ts';
import { type CsvRow, parseLine } from './csv.ts';
import { type PolicyFiles, readPolicyDirectory } from './directory.ts';
import { ErrorList, type LoadError, visible } from './error.ts';
import { linesOf, textOf } from './file.ts';
import { MandatoryReader } from './mandatory-file.ts';
import { checkModel } from './model-file.ts';
import type { LocatedLink } from './role-checks.ts';
import { surroundingsOf, TenantReader } from './tenant-file.ts';

/** Where a policy comes from, and what it is for. */
export type PolicySource = (
  | { readonly directory: string }
  /** Names such as `tenants/acme.csv` and what is in them. */
  | { readonly files: Readonly<Record<string, string | Uint8Array>> }
) & {
  readonly fabric: Fabric;
  readonly profile: Profile;
  /** `2026-11-23`; today in UTC if not given. No review of a vendor command can be from a later day. */
  readonly today?: string;
};

/** Everything that a policy says, checked, before an engine is built of it. */
export interface ReadPolicy {
  readonly id: string;
  readonly rules: PolicyRules;
  /** Names within the policy directory and the very bytes that were read. */
  readonly files: PolicyFiles;
}

/**
 * Loads a policy and builds its engine, aside and in slices. Never throws: on failure all mistakes of all files, and
 * whatever snapshot the caller has stays as it is.
 */
export async function loadPolicy(source: PolicySource): Promise<Result<RuleEngine, readonly LoadError[]>> {
  const read = await readPolicy(source);
  if (!read.ok) return read;
  return ok(await engineOf(read.value, source.fabric));
}

/** The engine of rules that were read; built in slices. */
export function engineOf({ id, rules }: Pick<ReadPolicy, 'id' | 'rules'>, fabric: Fabric): Promise<RuleEngine> {
  return createEngine({ id, rules, fabric });
}

/** The loader alone, for tools that look at rules without deciding anything. */
export async function readPolicy(source: PolicySource): Promise<Result<ReadPolicy, readonly LoadError[]>> {
  const errors = new ErrorList();
  const files = 'directory' in source ? readPolicyDirectory(source.directory, errors) : filesOf(source.files);
  // An unreadable directory would otherwise be reported file by file.
  if (files.size === 0 && errors.size > 0) return err(errors.list());
  const rules = await readRules(files, source, errors);
  return errors.size > 0 ? err(errors.list()) : ok({ id: snapshotId(files, source.fabric), rules, files });
}

function filesOf(files: Readonly<Record<string, string | Uint8Array>>): PolicyFiles {
  const encoder = new TextEncoder();
  const entries = Object.entries(files).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return new Map(
    entries.map(([name, content]) => [name, typeof content === 'string' ? encoder.encode(content) : content]),
  );
}

async function readRules(
  files: PolicyFiles,
  { fabric, profile, today }: PolicySource,
  errors: ErrorList,
): Promise<PolicyRules> {
  const slices = new Slices();
  // First of all, because rows may name them.
  const vendor = new CommandsReader(errors, today ?? new Date().toISOString().slice(0, 10));
  for (const [name, bytes] of files) {
    if (!isCommandFile(name)) continue;
    vendor.read(name, bytes);
    await slices.breathe();
  }
  const commands = vendor.table();
  const around = surroundingsOf(fabric, commands, vendor.faulty);
  const mandatory = new MandatoryReader(errors, commands, vendor.faulty);
  const grants: GrantRule[] = [];
  const links: LocatedLink[] = [];
  for (const required of ['model.conf', 'mandatory.csv']) {
    if (!files.has(required)) {
      errors.add(
        'missing-file',
        { file: required, line: 1, column: 1 },
        '',
      )(`\`${required}\` is missing`, `copy the shipped \`policies/${required}\``);
    }
  }
  for (const [name, bytes] of files) {
    const tenant = /^tenants\/(.*)\.csv$/.exec(name)?.[1];
    if (name === 'model.conf') {
      const text = textOf(bytes, name, errors);
      if (text !== undefined) checkModel(text, name, errors);
    } else if (name === 'mandatory.csv') {
      if (await readRows(bytes, name, errors, slices, (row) => mandatory.read(row))) mandatory.loosened(profile);
    } else if (isCommandFile(name)) {
      // read above
    } else if (tenant === undefined || !around.tenants.has(tenant)) {
      refuseFile(name, tenant, fabric, errors);
    } else {
      const reader = new TenantReader(tenant, around, grants, links, errors);
      await readRows(bytes, name, errors, slices, (row) => reader.read(row));
      await reader.finish(slices);
    }
  }
  if (grants.length === 0 && errors.size === 0) {
    errors.add(
      'empty-policy',
      { file: 'tenants', line: 1, column: 1 },
      '',
    )(
      'the policy grants nothing to anybody',
      'write at least one row `p, role:reader, TENANT, own, class:allowlisted, allow` in `tenants/TENANT.csv`',
    );
  }
  const loosened = errors.size > 0 ? [] : mandatory.loosened(profile);
  return { grants, links, mandatory: mandatory.rules, loosened, commands };
}

/** False when the file could not be read as text at all. */
async function readRows(
  bytes: Uint8Array,
  file: string,
  errors: ErrorList,
  slices: Slices,
  read: (row: CsvRow) => void,
): Promise<boolean> {
  const text = textOf(bytes, file, errors);
  if (text === undefined) return false;
  for (const [line, number] of linesOf(text)) {
    const row = parseLine(line, file, number, errors);
    if (row !== undefined) read(row);
    const pause = slices.breathe();
    if (pause !== undefined) await pause;
  }
  return true;
}

function refuseFile(name: string, tenant: string | undefined, fabric: Fabric, errors: ErrorList): void {
  const at = { file: visible(name), line: 1, column: 1 };
  if (tenant !== undefined && isTenantName(tenant)) {
    const near = closest(tenant, fabric.tenants);
    errors.add(
      'unknown-tenant',
      at,
      tenant,
    )(
      `\`${tenant}\` is not a tenant of the fabric file`,
      near === undefined
        ? 'list it under `tenants:` in `fabric.yaml`, or remove the file'
        : `did you mean \`tenants/${near}.csv\`?`,
    );
    return;
  }
  errors.add(
    'unknown-file',
    at,
    name,
  )(
    `\`${visible(name)}\` is not part of a policy`,
    'a policy has `model.conf`, `mandatory.csv`, `tenants/TENANT.csv` and `commands.d/SLUG.yaml`; a file that is left out unseen may be the one that denies',
  );
}

/** SHA-256 over names and bytes of the files, each with its length before it, and over who owns what. */
function snapshotId(files: PolicyFiles, fabric: Fabric): string {
  const hash = createHash('sha256');
  const add = (bytes: Uint8Array): void => {
    hash.update(`${bytes.length}\n`).update(bytes);
  };
  const encoder = new TextEncoder();
  for (const [name, bytes] of files) {
    add(encoder.encode(name));
    add(bytes);
  }
  add(encoder.encode(fabric.tenants.join('\n')));
  for (const path of fabric.objects) hash.update(`${path} ${fabric.ownerOf(path)}\n`);
  return hash.digest('hex');
}
