import {
  type ConsoleVerb,
  consoleRef,
  errnoTable,
  FABRIC_TENANT,
  type Principal,
  type ResourcePath,
} from '../../policy/index.ts';
import { activeFor } from '../../taint/index.ts';
import type { ConsoleProgramSettings } from '../config/index.ts';
import type { DisclosedReason } from '../core-api.ts';
import type { Refusal, Services, SwitchRuntime } from '../pipeline/index.ts';

/** One thing that stands against opening a console. */
export interface Objection {
  /** `grant`, `lockdown`, `raw-gate`, or the id of a mandatory row such as `T1`. */
  readonly rule: string;
  /** One sentence for people. */
  readonly text: string;
  readonly source?: string;
}

/** A row that allowed or denied, for the journal. */
export interface ConsoleGrant {
  readonly allowed: boolean;
  readonly rule?: { readonly source: string; readonly text: string };
}

/** What the rows say about one caller and one program: `console` to open, watch and end it, `console-approve` to confirm it. */
export function consoleGrant(
  services: Pick<Services, 'policy'>,
  principal: Principal,
  program: Pick<ConsoleProgramSettings, 'name' | 'switch' | 'tenant'>,
  verb: ConsoleVerb,
): ConsoleGrant {
  if (principal.tenant !== program.tenant) return { allowed: false };
  const ref = consoleRef(`${verb}:${program.name}`);
  return services.policy.engine.grant(principal, `/switches/${program.switch}` as ResourcePath, ref);
}

/**
 * Everything that stands against this caller opening this program now, apart from his token's scopes. Asked when it is
 * requested, when it is opened, and while it is open.
 */
export function objections(
  services: Pick<Services, 'policy' | 'journal'>,
  runtime: Pick<SwitchRuntime, 'name' | 'posture'>,
  principal: Principal,
  program: ConsoleProgramSettings,
): readonly Objection[] {
  const posture = runtime.posture.posture();
  const found: Objection[] = [];
  if (!consoleGrant(services, principal, program, 'console').allowed) {
    found.push({ rule: 'grant', text: `no row grants \`console:${program.name}\` to the caller` });
  }
  const level = posture.lockdown.effective;
  if (level !== 'none') found.push({ rule: 'lockdown', text: `consoles are off under lockdown \`${level}\`` });
  if (posture.profile !== 'bmc') found.push({ rule: 'raw-gate', text: 'consoles do not exist in profile host' });
  if (posture.rawCommands !== 'taints-this-switch') {
    found.push({ rule: 'raw-gate', text: 'the raw gate is closed: the option `raw_commands` is off' });
  }
  if (services.journal.health().state !== 'open') found.push({ rule: 'journal', text: 'nothing can be recorded now' });
  const path = `/switches/${runtime.name}`;
  const denials = services.policy.engine.mandatory({
    level,
    underLockdown: posture.underLockdown,
    taint: activeFor(posture.taint, path),
    profile: posture.profile,
    tenant: principal.tenant,
    // What is typed may reach anything on the switch, and nobody can say what it was.
    reach: 'opaque',
    command: consoleRef(`console:${program.name}`),
    conditions: new Set(['mutating', 'leaves-tenant', 'crosses-tenants']),
  });
  for (const { id, reason, source } of denials) found.push({ rule: id, text: reason, source });
  return found;
}

/**
 * Are these two the same person? The same subject at two issuers is taken for one: whoever has accounts at both must not
 * confirm his own request.
 */
export function isSamePerson(a: Principal, b: Principal): boolean {
  return a.name === b.name || a.subject === b.subject;
}

/** What the caller is told: reasons only where he has a grant, or may see policies. Without one, no program exists for him. */
export function refusalFor(principal: Principal, all: readonly Objection[]): Refusal {
  const { EPERM } = errnoTable;
  const seesAll = principal.scopes.includes('cci:policy') && principal.tenant === FABRIC_TENANT;
  const base = { code: 'EPERM', detail: EPERM.text, returnCode: EPERM.returnCode } as const;
  if (!seesAll && all.some(({ rule }) => rule === 'grant')) return base;
  const detail = `the console is not permitted: ${all.map(({ text }) => text).join('; ')}`;
  return { ...base, detail, reasons: all.map(disclosed) };
}

function disclosed({ rule, text, source }: Objection): DisclosedReason {
  const step = rule === 'grant' ? 'grant' : rule === 'raw-gate' ? 'raw-gate' : 'mandatory';
  return { step, rule, errno: 'EPERM', text, ...(source === undefined ? {} : { source }) };
}
