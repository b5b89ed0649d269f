import { type CommandRow, catalogue, type Hop, isTyped, ldId, NO_LD, portId } from '../../../src/cci/index.ts';
import { decide } from '../../../src/policy/decide/decide.ts';
import { rawGate } from '../../../src/policy/decide/raw-gate.ts';
import type { Side } from '../../../src/policy/meaning/index.ts';
import { leastRequest } from '../../../src/policy/meaning/least-request.ts';
import { tenantGroup } from '../../../src/policy/names.ts';
import { assumedPosture, fabricTopology } from '../../../src/policy/offline/index.ts';
import { type Binding, type Decision, type DecisionInput, tokenScopes } from '../../../src/policy/types.ts';
import type { Random } from '../casbin/random-policy.ts';
import { callerOf } from '../load/fixture.ts';

const rows: readonly CommandRow[] = catalogue;
const typed = rows.filter((row) => row.status === 'verified' && isTyped(row) && row.opcode !== 0x5300);
const busy = typed.filter(({ opcode }) => [0x51, 0x52, 0x54].includes(opcode >> 8));
const groups = ['one', 'two', 'three'];

function randomBindings(random: Random): Map<number, Map<number, Binding>> {
  const binding = (): Binding => {
    const kind = random.int(4);
    if (kind === 0) return { kind: 'port', port: random.pick([0, 1, 2, 4, 5]) };
    if (kind === 1) return { kind: 'ld', port: 3, ld: random.int(4) };
    return kind === 2 ? { kind: 'unknown' } : { kind: 'unbound' };
  };
  return new Map([0, 1].map((vcs) => [vcs, new Map([0, 1].map((vppb) => [vppb, binding()]))]));
}

function randomHops(random: Random): readonly Hop[] {
  const port = { kind: 'port', port: portId(random.int(6)) } as const;
  const mld = { kind: 'port', port: portId(3) } as const;
  const second = [{ kind: 'ld', ld: ldId(random.int(4)) } as const, { kind: 'ldpool' } as const];
  return random.pick([[], [], [port], [mld], [mld, random.pick(second)]]);
}

/** Some command of somebody on a random state of `sw0`. */
export function randomInput(random: Random, side: Side, scopes = tokenScopes): DecisionInput | undefined {
  const row = random.pick(random.int(3) === 0 ? typed : busy);
  const port = random.int(6);
  const wishes = {
    ppb_id: port,
    physical_port_id: port,
    port_id: port,
    ld_id: random.int(5) === 0 ? NO_LD : random.int(4),
    vcs_id: random.int(2),
    vppb_id: random.int(2),
    vppb_instance: random.int(2),
    port_id_list: [port, random.int(6)],
    vcs_id_list: [random.int(2)],
    host_id: random.int(3),
    start_ld_id: random.int(4),
    number_of_lds: 1 + random.int(2),
    ld_allocation_list_limit: 1,
    ld_map_list_limit: 2,
    start_head: random.int(2),
    number_of_heads: 1,
    qos_limit_fractions: [1, 2],
    qos_allocation_fractions: [1],
  };
  const request = isTyped(row) ? leastRequest(row, wishes) : undefined;
  if (request === undefined) return undefined;
  const tenant = random.pick(['acme', 'acme', 'globex', 'fabric']);
  const subject = random.pick(['alice', 'bob']);
  const principal = { ...callerOf(tenant, { groups: random.some(groups, 2), subject }), scopes };
  const hops = randomHops(random);
  const command = { hops, tags: hops.map(() => 1), opcode: row.opcode, payload: request.payload };
  const topology = fabricTopology(side.engine.fabric, 'sw0', { bindings: randomBindings(random) });
  if (topology === undefined) throw new Error('no switch');
  const posture = assumedPosture({
    profile: 'host',
    lockdown: random.pick(['none', 'none', 'integrity', 'confidentiality']),
    taint: random.int(4) === 0 ? [{ letter: 'M', scope: '/switches/sw0/ports/3' }] : [],
  });
  return { principal, submission: { switch: 'sw0', submittedAs: 'typed', command }, posture, topology };
}

export function decided({ engine }: Side, input: DecisionInput): Decision {
  return decide(engine, { discloseReasons: 'own' }, input, rawGate(engine.fabric, input));
}

/** What the journal keeps of a decision, as far as the tools read it. */
export function recordOf(input: DecisionInput, { facts, verdict, reasons, basis }: Decision, seq = 1) {
  const { principal, posture, submission } = input;
  const { lockdown, profile, underLockdown, taint, version } = posture;
  return {
    v: 1,
    seq,
    at: new Date(Date.UTC(2026, 10, 1) + seq * 1000).toISOString(),
    kind: 'decision',
    requestId: `request-${seq}`,
    switch: submission.switch,
    principal: principal.name,
    tenant: principal.tenant,
    groups: principal.names.filter((name) => name !== principal.name && name !== tenantGroup(principal.tenant)),
    scopes: principal.scopes,
    opcode: facts.opcode,
    command: facts.command,
    class: facts.class,
    scope: facts.scope,
    reach: facts.reach,
    touched: facts.touched,
    conditions: facts.conditions,
    activeTaint: facts.activeTaint,
    verdict,
    reasons: reasons.map(({ step, rule, errno, text }) => ({ step, rule, errno, text })),
    snapshot: basis.snapshot,
    posture: { version, lockdown: lockdown.effective, taint: taint.letters, profile, underLockdown },
  };
}
