import { readFileSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { formatLoadError, type LoadError, loadFabric, readPolicy } from '../../policy/index.ts';
import { type Finding, formatFinding, review } from '../../policy/tools.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { safe, safeJson } from '../safe-text.ts';
import { type ConfigFlags, readConfig } from '../settings.ts';

export interface CheckFlags extends ConfigFlags {
  readonly fabric?: string;
  readonly profile?: string;
  readonly strictWarnings?: boolean;
  readonly showSilenced?: boolean;
  readonly json?: boolean;
}

/**
 * `cci policy check`: the broker's own strict loader over a policy directory, without a broker. Every mistake of every
 * file, with what to write instead; then what a reviewer would ask about in files that load. Ends with 1 when there is a
 * mistake, and with `--strict-warnings` when there is a question, so that a review pipeline can stop there.
 */
export async function check(io: Io, directory: string | undefined, flags: CheckFlags): Promise<ExitCode> {
  const config = await readConfig(flags);
  const fabricFile = flags.fabric === undefined ? config.fabric : resolve(flags.fabric);
  const policyDirectory = directory === undefined ? config.policyDirectory : resolve(directory);
  const profile = flags.profile === 'bmc' || flags.profile === 'host' ? flags.profile : config.profile;
  const fabric = loadFabric(fabricFile);
  if (!fabric.ok) return report(io, flags, fabric.error);
  const policy = await readPolicy({ directory: policyDirectory, fabric: fabric.value, profile });
  if (!policy.ok) return report(io, flags, policy.error);
  const { id, rules } = policy.value;
  const fabricText = { name: shown(fabricFile), text: readFileSync(fabricFile, 'utf8') };
  const findings = await review({ policy: policy.value, fabric: fabric.value, fabricText, profile });
  const open = findings.filter(({ silenced }) => silenced === undefined);
  const wrong = open.some(({ level }) => level === 'error') || (flags.strictWarnings === true && open.length > 0);
  const found = {
    ok: !wrong,
    snapshot: id,
    profile,
    grants: rules.grants.length,
    roleRows: rules.links.length,
    mandatory: rules.mandatory.length,
    loosened: rules.loosened,
    tenants: fabric.value.tenants.length,
    objects: fabric.value.objects.length,
    findings: open,
    silenced: findings.filter(({ silenced }) => silenced !== undefined),
  };
  if (flags.json === true) io.out(`${safeJson(found)}\n`);
  else {
    for (const one of flags.showSilenced === true ? findings : open) io.out(findingLines(one));
    io.out(
      `${safe(shown(policyDirectory))}: ${inOrder(open)}, snapshot ${id.slice(0, 12)}\n` +
        `  ${found.grants} grants, ${found.roleRows} role rows, ${found.mandatory} mandatory rows, profile ${profile}\n` +
        `  ${found.tenants} tenants on ${found.objects} objects of ${safe(shown(fabricFile))}\n`,
    );
    if (rules.loosened.length > 0) {
      io.out(`  loosened shipped rows: ${rules.loosened.map(safe).join(', ')} (a broker raises taint B)\n`);
    }
  }
  return wrong ? EXIT.failed : EXIT.done;
}

function findingLines(one: Finding): string {
  return formatFinding(one)
    .split('\n')
    .map((line) => `${safe(line)}\n`)
    .join('');
}

function inOrder(open: readonly Finding[]): string {
  if (open.length === 0) return 'in order';
  return `loads, with ${open.length} ${open.length === 1 ? 'question' : 'questions'} for its reviewer`;
}

/** A file as findings name it: short where it is near. */
function shown(file: string): string {
  const short = relative('', file);
  return short.startsWith('..') ? file : short;
}

function report(io: Io, flags: CheckFlags, errors: readonly LoadError[]): ExitCode {
  if (flags.json === true) io.out(`${safeJson({ ok: false, errors })}\n`);
  else {
    const lines = errors.flatMap((error) => formatLoadError(error).split('\n'));
    io.out(lines.map((line) => `${safe(line)}\n`).join(''));
    io.err(`${errors.length} ${errors.length === 1 ? 'mistake' : 'mistakes'}: a broker would keep the policy it has\n`);
  }
  return EXIT.failed;
}
