import { fromHex } from '../../../src/cci/index.ts';
import { type Binding, formatLoadError } from '../../../src/policy/index.ts';
import {
  type AskedCommand,
  type AssumedPosture,
  openPolicy,
  parseBinding,
  parseSlot,
  parseTaint,
} from '../../../src/policy/tools.ts';
import type { TokenScope } from '../../../src/policy/types.ts';
import { ISSUER, sourceOf } from '../load/fixture.ts';
import { type Asked, explained } from './opened.ts';

/** One question of `told.yaml`, as people write it. */
export interface ToldCase {
  readonly name: string;
  /** The file of acme; `ISSUER` stands for the issuer of the caller's token. */
  readonly rows?: string;
  /** The file of the operators. */
  readonly fabric?: string;
  /** `raw`: opcode, and bytes in hex. */
  readonly ask:
    | { readonly command: string; readonly params?: unknown; readonly via?: string }
    | { readonly raw: string };
  readonly tenant?: string;
  readonly groups?: readonly string[];
  readonly scopes?: readonly TokenScope[];
  /** `0/1: 3/1` */
  readonly bindings?: readonly string[];
  readonly posture?: Partial<Omit<AssumedPosture, 'taint'>> & { readonly taint?: readonly string[] };
  readonly maxPayload?: number;
  readonly cel?: { readonly [opcode: string]: number };
  /** Without who he is and what he asked for, which other cases tell. */
  readonly brief?: true;
  readonly told: string;
}

const ASKED = 'What was asked';
const CALLER = 'Who the caller is to the policy';

const usual = `p, role:reader, acme, own, class:allowlisted, allow
p, role:operator, acme, own, set:virtual-switch, allow
p, role:operator, acme, own, physical-port-control, allow
p, role:careful, acme, own, physical-port-control, deny
g, group:tenant/acme, role:reader, acme
g, group:ISSUER#operators, role:operator, acme
g, group:ISSUER#careful, role:careful, acme
g, role:careful, role:operator, acme
`;

function commandOf({ ask }: Pick<ToldCase, 'ask'>): AskedCommand {
  if ('command' in ask) return ask;
  const [opcode, payload = ''] = ask.raw.split(' ');
  return { raw: { opcode: Number(opcode), payload: fromHex(payload) ?? new Uint8Array(0) } };
}

function bindingsOf(texts: readonly string[]): ReadonlyMap<number, ReadonlyMap<number, Binding>> {
  const bindings = new Map<number, Map<number, Binding>>();
  for (const text of texts) {
    const [slot = '', what = ''] = text.split(': ');
    const at = parseSlot(slot);
    const binding = parseBinding(what);
    if (at === undefined || binding === undefined) throw new Error(text);
    const vcs = bindings.get(at.vcs) ?? new Map<number, Binding>();
    bindings.set(at.vcs, vcs.set(at.vppb, binding));
  }
  return bindings;
}

function postureOf({ taint, ...posture }: NonNullable<ToldCase['posture']>): NonNullable<Asked['posture']> {
  if (taint === undefined) return posture;
  const parsed = taint.map((text) => parseTaint(text, 'sw0')).filter((one) => one !== undefined);
  return { ...posture, taint: parsed };
}

/** The whole explanation as people read it. Lines of the shipped mandatory rows are `N`: they move when rows are added. */
export async function told(one: Omit<ToldCase, 'told'>): Promise<string> {
  const tenants = {
    acme: (one.rows ?? usual).replaceAll('ISSUER', ISSUER),
    ...(one.fabric === undefined ? {} : { fabric: one.fabric }),
  };
  const policy = await openPolicy(sourceOf({ tenants, profile: one.posture?.profile ?? 'host' }));
  if (!policy.ok) throw new Error(policy.error.map(formatLoadError).join('\n'));
  const { tenant, groups, scopes, bindings, posture, maxPayload, cel, brief } = one;
  const { explanation } = explained(policy.value, {
    command: commandOf(one),
    ...(tenant === undefined ? {} : { tenant }),
    ...(groups === undefined ? {} : { groups }),
    ...(scopes === undefined ? {} : { scopes }),
    ...(bindings === undefined ? {} : { state: { bindings: bindingsOf(bindings) } }),
    ...(posture === undefined ? {} : { posture: postureOf(posture) }),
    ...(maxPayload === undefined ? {} : { maxPayload }),
    ...(cel === undefined
      ? {}
      : { cel: new Map(Object.entries(cel).map(([opcode, effects]) => [Number(`0x${opcode}`), effects])) }),
  });
  const parts = explanation.parts.filter(({ title }) => !(brief && (title === ASKED || title === CALLER)));
  const text = parts.map(({ title, sentences }) => [`# ${title}`, ...sentences].join('\n')).join('\n');
  return `${explanation.summary}\n${text}\n`.replaceAll(/mandatory\.csv:\d+/g, 'mandatory.csv:N');
}
