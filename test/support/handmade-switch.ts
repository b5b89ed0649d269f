import type { Credential } from '../../src/broker/core-api.ts';
import type { Asker, DeviceReply, OwnSend } from '../../src/broker/device.ts';
import type { Operation } from '../../src/broker/operations.ts';
import type { Decided, Decoded, Request, Services, SwitchRuntime } from '../../src/broker/pipeline/context.ts';
import {
  type CommandTable,
  decodePayload,
  isTyped,
  ok,
  parseVia,
  type RoutedCommand,
  type Value,
} from '../../src/cci/index.ts';
import { createSnapshot, type Decision, type Principal, type RuleEngine } from '../../src/policy/index.ts';
import type { Posture } from '../../src/taint/index.ts';
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
} from './fake-policy.ts';
import { commandBytes, replied, rowOf } from './handmade-bytes.ts';

/** What the stages of the pipeline work with, made by hand: the example fabric, no files, no device, no time. */
export interface HandmadeOptions {
  readonly spec?: FabricSpec;
  readonly topology?: Partial<TopologySpec>;
  readonly posture?: Posture;
  readonly grants?: readonly FakeGrant[];
  readonly mandatory?: readonly FakeMandatoryRow[];
  readonly disclose?: 'own' | 'none';
  readonly engine?: Partial<RuleEngine>;
  /** In place of what is made by hand, or beside it. */
  readonly services?: Partial<Services>;
  readonly device?: object;
  readonly events?: object;
  readonly operations?: object;
  readonly tags?: object;
  readonly view?: object;
}

/** A record that was handed to the journal. */
export interface Handed {
  readonly kind: string;
  readonly body: { readonly [name: string]: unknown };
  readonly options: {
    readonly durable?: boolean;
    readonly prepared?: { readonly text: string };
    readonly lost?: (error: unknown) => void;
  };
  readonly how: 'append' | 'note';
}

export interface Question {
  readonly tenant?: string;
  readonly principal?: Principal;
  /** By slug. */
  readonly named?: string;
  readonly params?: unknown;
  readonly opcode?: number;
  readonly payload?: Uint8Array;
  readonly via?: string;
  readonly raw?: true;
}

/** A read, a change that goes on in the background, and raw bytes. Acme may have the first two. */
export const ports: Question = { named: 'get-physical-port-state', params: { port_id_list: [3] } };
export const bind: Question = {
  named: 'bind-vppb',
  params: { vcs_id: 0, vppb_id: 2, physical_port_id: 3, ld_id: 65535 },
};
export const vendor: Question = { opcode: 0xc010, payload: Uint8Array.of(1), raw: true, tenant: 'fabric' };

/** Everything that the stages did, in order: what it was, and with what. */
export type Done = readonly [what: string, ...details: readonly unknown[]];

export const BY_OPERATOR: Credential = { token: 'fabric', source: '192.0.2.9:5' };
export const BY_ACME: Credential = { token: 'acme', source: '192.0.2.1:5' };
export const BY_GLOBEX: Credential = { token: 'globex', source: '192.0.2.2:5' };

export const rawIsOpen = fakePosture({ profile: 'bmc', rawCommands: 'taints-this-switch' });

/** A switch that answers as it is told, and a core around it that writes down what was asked of it. */
export class Handmade {
  readonly done: Done[] = [];
  readonly records: Handed[] = [];
  readonly sent: RoutedCommand[] = [];
  readonly principals = new Map<string, Principal>();
  posture: Posture;
  journal: 'open' | 'failed' = 'open';
  pendingBytes = 0;
  /** What the journal throws at records of a kind. */
  readonly unwritable = new Map<string, unknown>();
  /** What the taint register throws. */
  taintFails: Error | undefined;
  running: Partial<Operation> | undefined;
  nowMs = 1_000_000;
  /** What the device answers; empty success where nothing is said. */
  answer: (command: RoutedCommand) => DeviceReply | Promise<DeviceReply> = (command) => replied(command);
  /** Called when a turn comes, before anything else. */
  onTurn: () => void = () => {};
  asker: Asker | undefined;
  readonly view: { -readonly [K in keyof SwitchRuntime['topology']]?: unknown } & { version: number };
  readonly engine: RuleEngine;
  readonly runtime: SwitchRuntime;
  readonly services: Services;
  readonly policy: { current: ReturnType<typeof createSnapshot>; shadow: unknown; engine: RuleEngine };

  constructor(options: HandmadeOptions = {}) {
    this.posture = options.posture ?? fakePosture({ profile: 'bmc' });
    const fabric = fakeFabric(options.spec ?? exampleSpec);
    this.engine = { ...fakeEngine(fabric, options.grants, options.mandatory), ...options.engine };
    const current = createSnapshot(this.engine, { discloseReasons: options.disclose ?? 'own' });
    const policy = { current, engine: this.engine, shadow: undefined, runnable: async () => new Set<number>() };
    this.policy = policy;
    this.view = this.#view(options) as Handmade['view'];
    this.runtime = this.#runtime(options);
    this.services = {
      ...this.#core(),
      policy,
      switches: new Map([['sw0', this.runtime]]),
      ...options.services,
    } as unknown as Services;
  }

  /** How often it was done. */
  times(what: string): number {
    return this.done.filter(([name]) => name === what).length;
  }

  /** With what it was done, each time. */
  details(what: string): readonly (readonly unknown[])[] {
    return this.done.filter(([name]) => name === what).map(([, ...details]) => details);
  }

  principal(tenant: string): Principal {
    const known = this.principals.get(tenant) ?? fakePrincipal(tenant);
    this.principals.set(tenant, known);
    return known;
  }

  request(more: Partial<Request> = {}): Request {
    return { id: 'r-1', source: '192.0.2.1:5', startedMs: this.nowMs, ...more };
  }

  decoded(question: Question): Decoded {
    const command = commandOf(question);
    const submittedAs = question.raw === true ? 'raw' : 'typed';
    const { commands } = this.policy.current;
    return {
      submission: { switch: 'sw0', submittedAs, command },
      commands,
      asked: askedFor(command, commands),
      message: undefined,
    };
  }

  /** The command as it is decided about now. */
  decided(question: Question, more: Partial<Decided> = {}): Decided & { readonly decision: Decision } {
    const principal = question.principal ?? this.principal(question.tenant ?? 'acme');
    const decoded = more.decoded ?? this.decoded(question);
    const input = {
      principal,
      submission: decoded.submission,
      posture: this.posture,
      topology: this.runtime.topology,
    };
    const { current } = this.policy;
    const decision = current.decide(input, current.rawGate(input));
    return { principal, runtime: this.runtime, decoded, decision, stillValid: async () => true, ...more };
  }

  #noted(what: string) {
    return (...details: readonly unknown[]): void => void this.done.push([what, ...details]);
  }

  #view({ topology, view }: HandmadeOptions): object {
    return {
      ...fakeTopology({ ...exampleTopology, ...topology }),
      readCel: async (hops: unknown) => {
        this.#noted('readCel')(hops);
        return { ok: false, text: 'no answer' };
      },
      forget: this.#noted('forget'),
      read: async (send: unknown) => this.#noted('read')(send),
      readTagList: async () => ({ ok: false, text: 'no list of tags' }),
      listTags: async () => ({ ok: true, value: [] }),
      tagOwner: () => undefined,
      tagPlace: (port: number) => ({ port, serial: `serial of ${port}` }),
      noteLdCount: this.#noted('noteLdCount'),
      watcher: { expect: async (changes: unknown) => this.#expected(changes) },
      ...view,
    };
  }

  #expected(changes: unknown) {
    this.#noted('expect')(changes);
    return this.#noted('over');
  }

  #runtime(options: HandmadeOptions): SwitchRuntime {
    const made = {
      name: 'sw0',
      topology: this.view,
      posture: {
        posture: () => this.posture,
        taint: async (letter: string, entry: object) => {
          this.#noted('taint')(letter, entry);
          if (this.taintFails !== undefined) throw this.taintFails;
        },
      },
      device: this.#device(options.device),
      operations: Object.assign(
        Object.create({ running: undefined }, { running: { get: () => this.running, enumerable: true } }) as object,
        {
          lastEnded: () => undefined,
          start: this.#noted('start'),
          suspect: this.#noted('suspect'),
          saved: async () => this.#noted('saved')(),
        },
        options.operations,
      ),
      events: { limit: () => undefined, wake: this.#noted('wake'), ...options.events },
      tags: {
        claim: async (...details: readonly unknown[]) => {
          this.#noted('claim')(...details);
          return {
            made: new Set(),
            keep: this.#noted('keep'),
            release: async () => this.#noted('release')(),
          };
        },
        recorded: () => ({ settled: new Set(['before']) }),
        reconcile: async (...details: readonly unknown[]) => this.#noted('reconcile')(...details),
        ownerOf: () => undefined,
        ...options.tags,
      },
      pseudonyms: { serial: () => 0n, tag: (tag: Uint8Array) => tag },
    };
    return made as unknown as SwitchRuntime;
  }

  #device(more: object = {}): object {
    const send: OwnSend = async (command) => this.answer(command);
    return {
      state: 'serving',
      isHeld: false,
      ordersByResource: false,
      maxPayload: 4096,
      untilFree: async () => undefined,
      execute: async (
        asker: Asker,
        dispatch: () => Promise<{ go: boolean; command: RoutedCommand; refusal: unknown }>,
        settle?: (reply: DeviceReply, send: OwnSend) => Promise<void>,
      ) => {
        this.asker = asker;
        this.onTurn();
        const verdict = await dispatch();
        if (!verdict.go) return { kind: 'refused', refusal: verdict.refusal };
        this.sent.push(verdict.command);
        const reply = await this.answer(verdict.command);
        await settle?.(reply, send);
        return reply;
      },
      ...more,
    };
  }

  #core(): object {
    const logged = (level: string) => (object: unknown, text: unknown) => this.#noted(`log ${level}`)(object, text);
    const hand = (how: Handed['how']) => async (kind: string, body: Handed['body'], options: Handed['options']) => {
      if (this.unwritable.has(kind)) throw this.unwritable.get(kind);
      this.records.push({ how, kind, body, options });
      return { sequence: this.records.length, hash: '' };
    };
    const turn = { kind: 'turn', waitedMs: 0, end: this.#noted('turn ended') };
    return {
      authenticator: {
        authenticate: async ({ token }: Credential) => ok(this.principal(token)),
        again: async ({ token }: Credential) => ok(this.principal(token)),
        begin: async (credential: Credential) => ok({ ...credential, session: 'session' }),
      },
      revocations: { version: 1 },
      journal: {
        append: hand('append'),
        note: hand('note'),
        health: () => ({ state: this.journal, pendingBytes: this.pendingBytes }),
        flush: async () => {
          this.#noted('flush')();
          this.pendingBytes = 0;
        },
      },
      metrics: {
        commands: this.#counter('commands'),
        durations: this.#counter('durations'),
        limits: this.#counter('limits'),
        refusals: this.#counter('refusals'),
        refusedTokens: this.#counter('refusedTokens'),
        shadowDifferences: this.#counter('shadowDifferences'),
        unaudited: this.#counter('unaudited'),
        ofTenants: {
          commands: this.#counter('commands of tenants'),
          refusals: this.#counter('refusals of tenants'),
        },
      },
      log: { error: logged('error'), warn: logged('warn') },
      quotas: {
        enter: () => ok(this.#noted('place given back')),
        take: (_tenant: string, demand: unknown) => {
          this.#noted('take')(demand);
          return ok({ received: this.#noted('received'), end: this.#noted('pass given back') });
        },
      },
      refusals: { note: () => true, flush: async () => undefined },
      weightOf: () => 1,
      entrance: { ask: () => turn },
      busyPoll: { keep: this.#noted('awake'), whileWriting: (work: Promise<unknown>) => work },
      nowMs: () => this.nowMs,
    };
  }

  #counter(name: string): object {
    const noted = this.#noted(`count ${name}`);
    return { inc: noted, observe: noted };
  }
}

function commandOf({ named, params, opcode = 0, payload, via }: Question): RoutedCommand {
  const hops = via === undefined ? [] : parseVia(via);
  if (hops === undefined) throw new Error(`no path: ${via}`);
  const tags = hops.map((_, i) => i + 1);
  return named === undefined
    ? { hops, tags, opcode, payload: payload ?? new Uint8Array(0) }
    : { hops, tags, opcode: rowOf(named).opcode, payload: payload ?? commandBytes(named, params) };
}

function askedFor(command: RoutedCommand, commands: CommandTable): Value | undefined {
  const row = commands.rowByOpcode(command.opcode);
  if (row === undefined || !isTyped(row)) return undefined;
  const value = decodePayload(row.request, command.payload, { side: 'request' });
  return value.ok ? (value.value as Value) : undefined;
}
