import { encodePayload, fromHex, fromJson, isTyped, parseVia, rowBySlug } from '../../../src/cci/index.ts';
import {
  createSnapshot,
  type Decision,
  type DecisionInput,
  type MandatoryFacts,
  type RawGate,
  type RuleEngine,
  type Snapshot,
  type TokenScope,
} from '../../../src/policy/index.ts';
import type { Posture } from '../../../src/taint/index.ts';
import {
  exampleSpec,
  exampleTopology,
  type FabricSpec,
  type FakeGrant,
  type FakeMandatoryRow,
  fakeEngine,
  fakeFabric,
  fakePosture,
  fakePrincipal,
  fakeTopology,
  type TopologySpec,
} from '../../support/fake-policy.ts';

/** One question to the decision procedure; what is left out is the example fabric, acme, and rules in nobody's way. */
export interface Question {
  readonly tenant?: string;
  readonly scopes?: readonly TokenScope[];
  readonly switch?: string;
  /** By slug. */
  readonly named?: string;
  readonly params?: unknown;
  /** As bytes, by opcode. */
  readonly opcode?: number;
  readonly payload?: string;
  readonly size?: number;
  readonly raw?: true;
  readonly via?: string;
  readonly spec?: FabricSpec;
  readonly topology?: Partial<TopologySpec>;
  readonly posture?: Posture;
  readonly grants?: readonly FakeGrant[];
  readonly mandatory?: readonly FakeMandatoryRow[];
  readonly disclose?: 'own' | 'none';
  readonly gate?: RawGate;
  /** Replaces parts of the engine. */
  readonly engine?: Partial<RuleEngine>;
}

export interface Answer {
  readonly decision: Decision;
  readonly gate: RawGate;
  readonly facts: MandatoryFacts | undefined;
  readonly snapshot: Snapshot;
  readonly input: DecisionInput;
}

export function ask(question: Question): Answer {
  const fake = fakeEngine(fakeFabric(question.spec ?? exampleSpec), question.grants, question.mandatory);
  const snapshot = createSnapshot({ ...fake, ...question.engine }, { discloseReasons: question.disclose ?? 'own' });
  const input: DecisionInput = {
    principal: fakePrincipal(question.tenant ?? 'acme', question.scopes),
    submission: {
      switch: question.switch ?? 'sw0',
      submittedAs: question.raw === true ? 'raw' : 'typed',
      command: commandOf(question),
    },
    posture: question.posture ?? fakePosture({ profile: 'bmc' }),
    topology: fakeTopology({ ...exampleTopology, ...question.topology }),
  };
  const gate = question.gate ?? snapshot.rawGate(input);
  return { decision: snapshot.decide(input, gate), gate, facts: fake.asked.at(-1), snapshot, input };
}

/** `allow`, or errno and rule of the first reason, then what leaves the broker. */
export function verdictOf({ decision }: Answer): string {
  const { verdict, answer, reasons, outward } = decision;
  if (verdict === 'allow') return answer === 'empty' ? 'empty' : 'allow';
  return `${reasons[0]?.errno} ${reasons[0]?.rule} -> ${outward?.errno} ${outward?.returnCode}`;
}

export const rawOpen = fakePosture({ rawCommands: 'taints-this-switch', profile: 'bmc' });

function commandOf(question: Question): DecisionInput['submission']['command'] {
  const hops = question.via === undefined ? [] : parseVia(question.via);
  if (hops === undefined) throw new Error(`no path: ${question.via}`);
  const tags = hops.map((_, i) => i + 1);
  if (question.named !== undefined) {
    const row = rowBySlug(question.named);
    if (row === undefined || !isTyped(row)) throw new Error(`no codec: ${question.named}`);
    const value = fromJson(row.request, question.params ?? {});
    if (!value.ok) throw new Error(JSON.stringify(value.error));
    const payload = encodePayload(row.request, value.value);
    if (!payload.ok) throw new Error(JSON.stringify(payload.error));
    return { hops, tags, opcode: row.opcode, payload: payload.value };
  }
  const payload = question.size === undefined ? fromHex(question.payload ?? '') : new Uint8Array(question.size);
  if (payload === undefined) throw new Error(`not hex: ${question.payload}`);
  return { hops, tags, opcode: question.opcode ?? 0, payload };
}
