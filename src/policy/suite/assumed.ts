import type { FilePath } from '../../yaml/index.ts';
import { type AssumedPosture, type AssumedState, parseBinding, parseSlot, parseTaint } from '../offline/index.ts';
import type { Binding, Fabric, FabricSwitch } from '../types.ts';
import type { PostureFile, StateFile } from './schema.ts';
import type { SuiteCase } from './suite.ts';

/** Reports a mistake at a place of the suite. */
export type Report = (path: FilePath, message: string) => void;

/** What a case says, over what its suite says. */
export function mergedPosture(suite: PostureFile | undefined, one: PostureFile | undefined): PostureFile {
  return { ...suite, ...one };
}

export function mergedState(suite: StateFile | undefined, one: StateFile | undefined): StateFile {
  return { ...suite, ...one };
}

/** The standing of the switch; mistakes are reported below `path`. */
export function readPosture(
  file: PostureFile,
  switchName: string,
  path: FilePath,
  report: Report,
): SuiteCase['posture'] {
  const taint: NonNullable<AssumedPosture['taint']>[number][] = [];
  for (const [i, text] of (file.taint ?? []).entries()) {
    const parsed = parseTaint(text, switchName);
    if (parsed === undefined) {
      report([...path, 'taint', i], `\`${text}\` is no taint: write a letter, or X@/switches/${switchName}/ports/3`);
    } else taint.push(parsed);
  }
  return {
    ...(file.profile === undefined ? {} : { profile: file.profile }),
    ...(file.lockdown === undefined ? {} : { lockdown: file.lockdown }),
    ...(file.under_lockdown === undefined ? {} : { underLockdown: file.under_lockdown }),
    ...(file.raw_commands === undefined ? {} : { rawCommands: file.raw_commands }),
    ...(file.raw_allow_all === undefined ? {} : { rawAllowAll: file.raw_allow_all }),
    taint,
  };
}

/** The state of the switch that the fabric file does not tell; mistakes are reported below `path`. */
export function readState(
  file: StateFile,
  fabric: Fabric,
  listed: FabricSwitch,
  path: FilePath,
  report: Report,
): AssumedState {
  const portOf = (key: string, where: FilePath): number => {
    if (!/^\d{1,3}$/.test(key) || !listed.ports.has(Number(key)))
      report(where, `the fabric file has no port \`${key}\``);
    return Number(key);
  };
  const vcsOf = (key: string, where: FilePath): number => {
    if (!/^\d{1,3}$/.test(key) || !listed.vcss.has(Number(key))) report(where, `the fabric file has no VCS \`${key}\``);
    return Number(key);
  };
  const entriesOf = <T>(part: keyof StateFile, of: { readonly [key: string]: T } | undefined) =>
    Object.entries(of ?? {}).map(([key, value]) => ({ key, value, where: [...path, part, key] as FilePath }));
  const bindings = new Map<number, Map<number, Binding>>();
  for (const { key, value, where } of entriesOf('bindings', file.bindings)) {
    const slot = parseSlot(key);
    const bound = parseBinding(String(value));
    if (slot === undefined || slot.vppb >= (listed.vcss.get(slot.vcs)?.vppbs ?? 0)) {
      report(where, `\`${key}\` is no slot of the fabric file: write VCS/VPPB, such as 0/2`);
    } else if (bound === undefined || !isThere(bound, listed)) {
      report(where, `\`${value}\` is nothing that can be attached: write PORT, PORT/LD, unbound or unknown`);
    } else {
      const slots = bindings.get(slot.vcs) ?? new Map<number, Binding>();
      bindings.set(slot.vcs, slots.set(slot.vppb, bound));
    }
  }
  const neverSend = new Map<number, string>();
  for (const { key, value, where } of entriesOf('never_send', file.never_send)) {
    const opcode = opcodeOf(key);
    if (opcode === undefined) report(where, `\`${key}\` is no opcode: write 0x0001 to 0xffff`);
    else neverSend.set(opcode, value);
  }
  for (const { key, value, where } of entriesOf('tags', file.tags)) {
    if (!/^\d{1,3}\/[0-9a-f-]{36}$/.test(key)) report(where, `\`${key}\` is no tag: write PORT/UUID`);
    if (!fabric.tenants.includes(value)) report(where, `there is no tenant \`${value}\``);
  }
  return {
    ...(file.known === undefined ? {} : { known: file.known }),
    ...(file.cci === undefined ? {} : { switchCci: file.cci }),
    devices: new Map(entriesOf('devices', file.devices).map(({ key, value, where }) => [portOf(key, where), value])),
    usps: new Map(
      entriesOf('usps', file.usps).map(({ key, value, where }) => [vcsOf(key, where), portOf(String(value), where)]),
    ),
    bindings,
    neverSend,
    ...(file.tags === undefined ? {} : { tagOwners: new Map(Object.entries(file.tags)) }),
  };
}

function isThere(binding: Binding, listed: FabricSwitch): boolean {
  if (binding.kind === 'unbound' || binding.kind === 'unknown') return true;
  const port = listed.ports.get(binding.port);
  return port !== undefined && (binding.kind === 'port' || binding.ld < port.lds);
}

/** `0xc010`, or the number that YAML makes of it. */
export function opcodeOf(value: string | number): number | undefined {
  const text = String(value);
  const opcode = /^(?:0x[0-9a-fA-F]{1,4}|\d{1,5})$/.test(text) ? Number(text) : 0;
  return opcode >= 1 && opcode <= 0xffff ? opcode : undefined;
}
