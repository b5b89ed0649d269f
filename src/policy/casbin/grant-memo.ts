import type { CommandRef } from '../engine.ts';
import type { GrantVerdict } from '../types.ts';
import { entry, newList, newMap } from './entry.ts';

interface Remembered {
  readonly command: CommandRef;
  readonly verdict: GrantVerdict;
}

/** One caller as a list of names: what was worked out for exactly this list, in this tenant. */
export interface Caller {
  readonly roles: readonly string[];
  readonly verdicts: Map<string, Map<number, Remembered[]>>;
}

interface Node {
  readonly next: Map<string, Node>;
  caller: Caller | undefined;
}

const newNode = (): Node => ({ next: new Map(), caller: undefined });

/**
 * Verdicts already given, found by exact keys: tenant, then each name in turn, then resource, then opcode, then the whole
 * command. Keys are never joined, so no two requests share one. Bounded: when full it starts anew. Dies with its snapshot.
 */
export class GrantMemo {
  readonly #entriesMax: number;
  #root = newNode();
  #entries = 0;

  constructor(entriesMax = 1 << 16) {
    this.#entriesMax = entriesMax;
  }

  /** The caller's place, worked out by `rolesOf` the first time. */
  caller(tenant: string, names: readonly string[], rolesOf: () => readonly string[]): Caller {
    if (this.#entries >= this.#entriesMax) {
      this.#root = newNode();
      this.#entries = 0;
    }
    let node = this.#step(this.#root, tenant);
    for (const name of names) node = this.#step(node, name);
    node.caller ??= { roles: rolesOf(), verdicts: new Map() };
    return node.caller;
  }

  get(caller: Caller, resource: string, command: CommandRef): GrantVerdict | undefined {
    const remembered = caller.verdicts.get(resource)?.get(command.opcode);
    return remembered?.find((entry) => isSame(entry.command, command))?.verdict;
  }

  set(caller: Caller, resource: string, command: CommandRef, verdict: GrantVerdict): void {
    const { opcode, slug, set, class: commandClass, scope, grant } = command;
    const copy: CommandRef = {
      opcode,
      class: commandClass,
      scope,
      ...(slug === undefined ? {} : { slug }),
      ...(set === undefined ? {} : { set }),
      ...(grant === undefined ? {} : { grant }),
    };
    const opcodes = entry(caller.verdicts, resource, newMap<number, Remembered[]>);
    entry(opcodes, opcode, newList<Remembered>).push({ command: copy, verdict });
    this.#entries += 1;
  }

  #step(node: Node, name: string): Node {
    let next = node.next.get(name);
    if (next === undefined) {
      next = newNode();
      node.next.set(name, next);
      this.#entries += 1;
    }
    return next;
  }
}

function isSame(a: CommandRef, b: CommandRef): boolean {
  return (
    a.opcode === b.opcode &&
    a.slug === b.slug &&
    a.set === b.set &&
    a.class === b.class &&
    a.scope === b.scope &&
    a.grant === b.grant
  );
}
