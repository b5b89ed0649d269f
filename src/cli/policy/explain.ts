import { DEVELOPMENT_ISSUER } from '../../broker/auth/index.ts';
import { fromHex } from '../../cci/index.ts';
import type { CommandBody } from '../../client/index.ts';
import { type Binding, type DecisionInput, type DeviceKind, type TokenScope, tokenScopes } from '../../policy/index.ts';
import {
  type AskedCommand,
  type AssumedState,
  askedSubmission,
  assumedPosture,
  assumedPrincipal,
  commandScopes,
  type Explanation,
  explain,
  fabricTopology,
  type OpenPolicy,
  parseBinding,
  parseSlot,
  parseTaint,
} from '../../policy/tools.ts';
import { parseCommand } from '../command-line.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { type Paint, paint } from '../paint.ts';
import { rawBody } from '../run.ts';
import { safe, safeJson } from '../safe-text.ts';
import { UsageError } from '../usage-error.ts';
import { openedPolicy, type PolicyFiles, type PolicyFlags, policyFiles } from './opened.ts';

export interface ExplainFlags extends PolicyFlags {
  readonly json?: boolean;
  readonly switch?: string;
  readonly via?: string;
  readonly params?: string;
  readonly payload?: string;
  readonly tenant?: string;
  readonly subject?: string;
  readonly issuer?: string;
  readonly group?: readonly string[];
  readonly scope?: string;
  readonly lockdown?: string;
  readonly underLockdown?: string;
  readonly rawCommands?: string;
  readonly bind?: readonly string[];
  readonly device?: readonly string[];
  readonly usp?: readonly string[];
  readonly taint?: readonly string[];
}

/**
 * `cci policy explain SLUG ...`: takes a decision with the policy files alone and tells everything that it rested on. Ends
 * with 3 when denied.
 */
export async function explainPolicy(io: Io, words: readonly string[], flags: ExplainFlags): Promise<ExitCode> {
  const asked = askedOf(io, words, flags);
  if (asked === undefined) return EXIT.done;
  const files = await policyFiles(flags);
  const policy = await openedPolicy(files);
  const input = inputOf(asked, policy, files, flags);
  const decision = policy.snapshot.decide(input, policy.snapshot.rawGate(input));
  const explanation = explain(policy, input, decision);
  if (flags.json === true) {
    const { facts, grants, reasons, narrowing, outward, basis, answer } = decision;
    const data = { ...explanation, facts, answer, narrowing, grants, reasons, outward, snapshot: basis.snapshot };
    io.out(`${safeJson(data)}\n`);
  } else io.out(readable(explanation, paint(io)));
  return decision.verdict === 'allow' ? EXIT.done : EXIT.denied;
}

function askedOf(io: Io, words: readonly string[], flags: ExplainFlags): AskedCommand | undefined {
  const body = bodyOf(io, words, flags);
  if (body === undefined) return undefined;
  const via = body.via === undefined ? {} : { via: body.via };
  if ('raw' in body) {
    const payload = fromHex(body.raw.payload) ?? new Uint8Array(0);
    return { raw: { opcode: body.raw.opcode, payload }, ...via };
  }
  return { command: body.command, params: body.params, ...via };
}

function bodyOf(io: Io, words: readonly string[], flags: ExplainFlags): CommandBody | undefined {
  const common = { ...(flags.via === undefined ? {} : { via: flags.via }) };
  if (words[0] === 'raw') {
    const [, opcode, ...rest] = words;
    if (opcode === undefined || rest.length > 0) {
      throw new UsageError(
        '`cci policy explain raw` needs one opcode',
        '`cci policy explain raw 0xc010 --tenant fabric`',
      );
    }
    return rawBody(opcode, { ...common, ...(flags.payload === undefined ? {} : { payload: flags.payload }) });
  }
  if (flags.payload !== undefined) {
    throw new UsageError('--payload is for `cci policy explain raw`', 'drop it, or name an opcode');
  }
  const params = flags.params === undefined ? {} : { params: flags.params };
  const parsed = parseCommand(io, 'policy explain', words, { ...common, ...params });
  return parsed.kind === 'body' ? parsed.body : undefined;
}

function inputOf(asked: AskedCommand, policy: OpenPolicy, files: PolicyFiles, flags: ExplainFlags): DecisionInput {
  const { fabric } = policy;
  const name = flags.switch ?? 'sw0';
  const { config } = files;
  const settings = config.switches.get(name);
  const topology = fabricTopology(fabric, name, {
    ...stateOf(flags),
    ...(settings === undefined ? {} : { neverSend: settings.neverSend, switchCci: settings.cci }),
  });
  if (topology === undefined) {
    throw new UsageError(
      `the fabric file has no switch \`${name}\``,
      `it has ${[...fabric.switches.keys()].join(', ')}`,
    );
  }
  const { tenant } = flags;
  if (tenant === undefined || !fabric.tenants.includes(tenant)) {
    const what = tenant === undefined ? '--tenant is missing' : `there is no tenant \`${tenant}\``;
    throw new UsageError(what, `give one of ${fabric.tenants.join(', ')}`);
  }
  const submission = askedSubmission(name, asked, policy.commands);
  if (!submission.ok)
    throw new UsageError(submission.error.message, '`cci policy explain SLUG --help` lists the fields');
  return {
    principal: assumedPrincipal({
      tenant,
      issuer: flags.issuer ?? DEVELOPMENT_ISSUER,
      subject: flags.subject ?? 'somebody',
      groups: flags.group ?? [],
      scopes: scopesOf(flags.scope),
    }),
    submission: submission.value,
    posture: assumedPosture({
      profile: files.profile,
      lockdown: oneOf('--lockdown', flags.lockdown, ['none', 'integrity', 'confidentiality'], config.lockdown.level),
      underLockdown: oneOf(
        '--under-lockdown',
        flags.underLockdown,
        ['allow', 'reads', 'off'],
        config.lockdown.underLockdown,
      ),
      rawCommands: oneOf('--raw-commands', flags.rawCommands, ['off', 'taints-this-switch'], config.rawCommands),
      rawAllowAll: config.rawAllowAll,
      taint: (flags.taint ?? []).map((text) => taintOf(text, name)),
    }),
    topology,
  };
}

function scopesOf(text: string | undefined): readonly TokenScope[] {
  if (text === undefined) return commandScopes;
  return text
    .split(/\s+/)
    .filter(Boolean)
    .map((word) => oneOf('--scope', word, tokenScopes, 'cci:read'));
}

function oneOf<const T extends string>(flag: string, word: string | undefined, known: readonly T[], otherwise: T): T {
  if (word === undefined) return otherwise;
  const found = known.find((one) => one === word);
  if (found === undefined)
    throw new UsageError(`\`${word}\` is nothing for ${flag}`, `give one of ${known.join(', ')}`);
  return found;
}

const devices: readonly DeviceKind[] = ['none', 'sld', 'mld', 'other', 'unknown'];

function stateOf(flags: ExplainFlags): AssumedState {
  const bindings = new Map<number, Map<number, Binding>>();
  for (const text of flags.bind ?? []) {
    const [slotText = '', boundText = ''] = text.split('=');
    const slot = parseSlot(slotText);
    const bound = parseBinding(boundText);
    if (slot === undefined || bound === undefined) {
      throw new UsageError(`\`${text}\` is not a binding`, 'write VCS/VPPB=PORT or VCS/VPPB=PORT/LD, such as 0/2=3/1');
    }
    const slots = bindings.get(slot.vcs) ?? new Map<number, Binding>();
    bindings.set(slot.vcs, slots.set(slot.vppb, bound));
  }
  return {
    bindings,
    devices: new Map(
      (flags.device ?? []).map((text) => {
        const [id, word = ''] = numbered(text, '--device', 'PORT=KIND, such as 5=mld');
        return [id, oneOf('--device', word, devices, 'unknown')];
      }),
    ),
    usps: new Map(
      (flags.usp ?? []).map((text) => {
        const [vcs, port] = numbered(text, '--usp', 'VCS=PORT, such as 0=0');
        return [vcs, numbered(`${port}=`, '--usp', 'VCS=PORT, such as 0=0')[0]];
      }),
    ),
  };
}

function numbered(text: string, flag: string, form: string): readonly [number, string] {
  const [, id, rest] = /^(\d{1,3})=(.*)$/.exec(text) ?? [];
  if (id === undefined || rest === undefined)
    throw new UsageError(`\`${text}\` is nothing for ${flag}`, `write ${form}`);
  return [Number(id), rest];
}

function taintOf(text: string, switchName: string) {
  const taint = parseTaint(text, switchName);
  if (taint !== undefined) return taint;
  throw new UsageError(`\`${text}\` is nothing for --taint`, `write a letter, or X@/switches/${switchName}/ports/3`);
}

/** Sections of whole sentences, each on a line of its own. */
export function readable({ summary, parts }: Pick<Explanation, 'summary' | 'parts'>, colours: Paint): string {
  const sections = parts.map(({ title, sentences }) => {
    const lines = sentences.map((sentence) => `  ${safe(sentence)}\n`).join('');
    return `\n${colours.bold(title)}\n${lines}`;
  });
  return `${safe(summary)}\n${sections.join('')}`;
}
