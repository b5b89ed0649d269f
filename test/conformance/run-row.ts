import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { parse } from 'yaml';
import {
  decodeRoute,
  encodePayload,
  fromHex,
  fromJson,
  type Hop,
  isTyped,
  parseVia,
  type RoutedCommand,
  returnCodeName,
  rowBySlug,
} from '../../src/cci/index.ts';
import {
  createSnapshot,
  type Decision,
  type RawGate,
  type RuleEngine,
  type Submission,
  type TokenScope,
} from '../../src/policy/index.ts';
import { allScopes, exampleTopology, fakePosture, fakePrincipal, fakeTopology } from '../support/fake-policy.ts';

interface Given {
  readonly tenant?: string;
  readonly raw?: 'on' | 'off' | boolean;
  readonly lockdown?: 'none' | 'integrity' | 'confidentiality';
  readonly override?: 'on' | 'off' | boolean;
  readonly profile?: 'host' | 'bmc';
  readonly under?: 'allow' | 'reads' | 'off';
  readonly scopes?: readonly TokenScope[];
  readonly grants?: 'none';
  readonly cel?: Readonly<Record<string, 'unread' | readonly number[] | Readonly<Record<string, number>>>>;
  readonly room?: number;
  readonly max_payload?: number;
  readonly cci?: 'fm-interface' | 'host-mailbox';
  readonly never_send?: readonly number[];
}

interface Command {
  readonly named?: string;
  readonly params?: unknown;
  readonly data?: number;
  readonly opcode?: number;
  readonly raw?: number | true;
  readonly message?: number;
  readonly undecoded?: number;
  readonly payload?: string;
  readonly size?: number;
  readonly via?: string;
}

export interface Row {
  readonly rule: string;
  readonly case: string;
  readonly given?: Given;
  readonly command?: Command;
  readonly device_code?: number;
  readonly expect: string;
  readonly outward?: number;
  readonly gate?: RawGate['kind'];
  readonly taints?: readonly string[];
  readonly kernel?: string;
  readonly deviation?: string;
}

/** The table. */
export const rows = parse(readFileSync(new URL('kernel-rules.yaml', import.meta.url), 'utf8')) as readonly Row[];
const isOn = (value: Given['raw']): boolean => value === 'on' || value === true;

function payloadOf(command: Command): Uint8Array {
  if (command.size !== undefined) return new Uint8Array(command.size);
  const bytes = fromHex(command.payload ?? '');
  if (bytes === undefined) throw new Error(`not hex: ${command.payload}`);
  return bytes;
}

function namedPayload(command: Command): { readonly opcode: number; readonly payload: Uint8Array } {
  const row = rowBySlug(command.named ?? '');
  if (row === undefined || !isTyped(row)) throw new Error(`no codec: ${command.named}`);
  const value = fromJson(row.request, command.params ?? {});
  if (!value.ok) throw new Error(JSON.stringify(value.error));
  const data = command.data === undefined ? {} : { transaction_data: new Uint8Array(command.data) };
  const payload = encodePayload(row.request, { ...value.value, ...data });
  if (!payload.ok) throw new Error(JSON.stringify(payload.error));
  return { opcode: row.opcode, payload: payload.value };
}

/** The command as the pipeline hands it on, or the errno that the decoder itself gives. */
function routed(command: Command): RoutedCommand | string {
  const hops: readonly Hop[] = command.via === undefined ? [] : (parseVia(command.via) ?? []);
  const tags = hops.map((_, i) => i);
  if (command.named !== undefined) return { hops, tags, ...namedPayload(command) };
  if (command.message !== undefined) {
    const decoded = decodeRoute(command.message, payloadOf(command));
    if (decoded.ok) return decoded.value;
    return `${decoded.error.code === 'length' ? 'ENOMEM' : 'EINVAL'} decoder`;
  }
  const opcode = command.opcode ?? command.undecoded ?? Number(command.raw);
  return { hops, tags, opcode, payload: payloadOf(command) };
}

function celOf(cel: Given['cel']): Record<string, ReadonlyMap<number, number> | 'unread'> {
  const maps: Record<string, ReadonlyMap<number, number> | 'unread'> = {};
  for (const [path, entries] of Object.entries(cel ?? {})) {
    if (entries === 'unread') maps[path] = 'unread';
    else if (Array.isArray(entries)) maps[path] = new Map(entries.map((opcode: number) => [opcode, 0]));
    else {
      const pairs = Object.entries(entries as Record<string, number>);
      maps[path] = new Map([[0x5300, 0], ...pairs.map(([opcode, bits]): [number, number] => [Number(opcode), bits])]);
    }
  }
  return maps;
}

/** The engine that decides: with a grant on everything for everybody, or with none. */
export type EngineOf = (grants: boolean) => RuleEngine;

function run(
  row: Row,
  command: RoutedCommand,
  engineOf: EngineOf,
): { readonly gate: RawGate; readonly decision: Decision } {
  const given = row.given ?? {};
  const engine = engineOf(given.grants !== 'none');
  const snapshot = createSnapshot(engine, { discloseReasons: 'own' });
  const submission: Submission = {
    switch: 'sw0',
    submittedAs: row.command?.raw === undefined ? 'typed' : 'raw',
    command,
    ...(given.room === undefined ? {} : { outputCapacity: given.room }),
  };
  const input = {
    principal: fakePrincipal(given.tenant ?? 'fabric', given.scopes ?? allScopes),
    submission,
    posture: fakePosture({
      level: given.lockdown ?? 'none',
      profile: given.profile ?? 'bmc',
      rawCommands: isOn(given.raw) ? 'taints-this-switch' : 'off',
      rawAllowAll: isOn(given.override),
      underLockdown: given.under ?? 'allow',
    }),
    topology: fakeTopology({
      ...exampleTopology,
      cels: celOf(given.cel),
      ...(given.cci === undefined ? {} : { switchCci: given.cci }),
      ...(given.max_payload === undefined ? {} : { maxPayload: given.max_payload }),
      neverSend: new Map((given.never_send ?? []).map((opcode) => [opcode, 'it kills the device'])),
    }),
  };
  const gate = snapshot.rawGate(input);
  return { gate, decision: snapshot.decide(input, gate) };
}

function verdictText({ verdict, reasons }: Decision): string {
  return verdict === 'allow' ? 'allow' : `${reasons[0]?.errno} ${reasons[0]?.rule}`;
}

/** Holds what the broker does with a row's command against what the row expects. */
export function checkRow(row: Row, engineOf: EngineOf): void {
  if (row.device_code !== undefined) {
    expect(returnCodeName(row.device_code)).toBe(row.expect);
    return;
  }
  const command = routed(row.command ?? {});
  if (typeof command === 'string') {
    expect(command).toBe(row.expect);
    return;
  }
  const { gate, decision } = run(row, command, engineOf);
  expect(verdictText(decision)).toBe(row.expect);
  if (row.gate !== undefined) expect(gate.kind).toBe(row.gate);
  if (row.outward !== undefined) expect(decision.outward?.returnCode).toBe(row.outward);
  if (row.taints !== undefined) {
    expect(decision.taints.map(({ letter }) => letter).toSorted()).toEqual([...row.taints].toSorted());
  }
  // The gate's taints are in force before the payload is looked at, so they come with every later refusal.
  if (gate.kind === 'accepted') expect(decision.taints).toEqual(expect.arrayContaining([...gate.taints]));
}
