import { readFileSync } from 'node:fs';
import {
  type Decision,
  type DecisionInput,
  type Fabric,
  formatLoadError,
  loadFabric,
  type TokenScope,
} from '../../../src/policy/index.ts';
import {
  type AskedCommand,
  type AssumedPosture,
  type AssumedState,
  askedSubmission,
  assumedPosture,
  assumedPrincipal,
  type Explanation,
  explain,
  fabricTopology,
  type OpenPolicy,
  openPolicy,
} from '../../../src/policy/tools.ts';
import { ISSUER } from '../load/fixture.ts';

export function shippedFabric(file = 'config/fabric.yaml'): Fabric {
  const fabric = loadFabric({ text: readFileSync(file, 'utf8') });
  if (!fabric.ok) throw new Error(fabric.error.map(formatLoadError).join('\n'));
  return fabric.value;
}

export async function opened(
  directory = 'policies',
  fabric = shippedFabric(),
  profile: 'host' | 'bmc' = 'host',
): Promise<OpenPolicy> {
  const policy = await openPolicy({ directory, fabric, profile });
  if (!policy.ok) throw new Error(policy.error.map(formatLoadError).join('\n'));
  return policy.value;
}

export interface Asked {
  readonly command: AskedCommand;
  readonly tenant?: string;
  readonly groups?: readonly string[];
  readonly scopes?: readonly TokenScope[];
  readonly state?: AssumedState;
  readonly posture?: Partial<AssumedPosture>;
  readonly maxPayload?: number;
  readonly cel?: ReadonlyMap<number, number>;
}

export function explained(
  policy: OpenPolicy,
  asked: Asked,
): {
  readonly input: DecisionInput;
  readonly decision: Decision;
  readonly explanation: Explanation;
  readonly text: string;
} {
  const topology = fabricTopology(policy.fabric, 'sw0', asked.state);
  const submission = askedSubmission('sw0', asked.command, policy.commands);
  if (topology === undefined || !submission.ok) throw new Error(submission.ok ? 'no switch' : submission.error.message);
  const { maxPayload, cel } = asked;
  const input: DecisionInput = {
    principal: assumedPrincipal({
      tenant: asked.tenant ?? 'acme',
      issuer: ISSUER,
      subject: 'alice',
      groups: asked.groups ?? [],
      ...(asked.scopes === undefined ? {} : { scopes: asked.scopes }),
    }),
    submission: submission.value,
    posture: assumedPosture({ profile: 'host', ...asked.posture }),
    topology: {
      ...topology,
      ...(maxPayload === undefined ? {} : { maxPayload }),
      ...(cel === undefined ? {} : { cel: () => cel }),
    },
  };
  const decision = policy.snapshot.decide(input, policy.snapshot.rawGate(input));
  const explanation = explain(policy, input, decision);
  const text = explanation.parts.map(({ title, sentences }) => [`# ${title}`, ...sentences].join('\n')).join('\n');
  return { input, decision, explanation, text };
}
