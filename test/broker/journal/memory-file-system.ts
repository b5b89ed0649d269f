import { basename, dirname } from 'node:path';
import type { FileIdentity, JournalFile, JournalFileSystem, OpenMode } from '../../../src/broker/journal/index.ts';

/** A file: what programs see, and what the disk has. */
interface Node {
  readonly inode: number;
  data: Buffer;
  durable: Buffer;
  /** Grows with each change. */
  changes: number;
  /** What is being written over right now. */
  over?: { readonly bytes: Uint8Array; readonly position: number } | undefined;
}

export interface Call {
  readonly name: string;
  readonly path: string;
  readonly number: number;
}

/** `{ take }`: the call takes so many bytes, and throws when `code` is given. */
export type Fault = string | { readonly take: number; readonly code?: string } | undefined;

/**
 * A file system in memory that knows the difference between written and durable, so that a test can pull the plug at
 * any moment, and whose every call can be made to fail.
 */
export class MemoryFileSystem implements JournalFileSystem {
  #directories = new Set<string>();
  #entries = new Map<string, Node>();
  #durableEntries = new Map<string, Node>();
  #nextInode = 1;
  /** Grows with each name that comes, goes or changes its file. */
  #changes = 0;
  /** Grows with each power loss; files that were open before are dead. */
  #generation = 0;
  readonly calls: Call[] = [];
  fault: (call: Call) => Fault = () => undefined;

  #step(name: string, path: string): Fault {
    const call = { name, path: basename(path), number: this.calls.length };
    this.calls.push(call);
    const fault = this.fault(call);
    if (typeof fault === 'string') throw failure(fault, name);
    return fault;
  }

  /**
   * Power loss: names that were not synced are gone, of unsynced bytes some part is there. `fraction` 0..1 says how much
   * of what was appended survived.
   */
  pullThePlug(fraction: number): void {
    this.#generation += 1;
    this.#entries = new Map(this.#durableEntries);
    for (const node of this.#entries.values()) {
      const { data, durable, over } = node;
      node.over = undefined;
      if (over !== undefined) {
        const torn = over.bytes.subarray(0, Math.round(over.bytes.length * fraction));
        node.data = Buffer.from(durable);
        node.data.set(torn, over.position);
        node.durable = node.data;
        continue;
      }
      const appended = data.length > durable.length && data.subarray(0, durable.length).equals(durable);
      const kept = durable.length + Math.round((data.length - durable.length) * fraction);
      node.data = Buffer.from(appended ? data.subarray(0, kept) : durable);
      node.durable = node.data;
    }
  }

  /** The disk as one process has it: once that is dead, nothing it still tries happens. */
  ofOneProcess(): JournalFileSystem {
    const generation = this.#generation;
    const living =
      <A extends readonly unknown[], R>(call: (...args: A) => Promise<R>) =>
      async (...args: A): Promise<R> => {
        if (generation !== this.#generation) throw failure('EIO', 'a call of a dead process');
        return call(...args);
      };
    return {
      open: living((path: string, mode: OpenMode) => this.open(path, mode)),
      makeDirectory: living((path: string) => this.makeDirectory(path)),
      syncDirectory: living((path: string) => this.syncDirectory(path)),
      identity: living((path: string) => this.identity(path)),
      list: living((directory: string) => this.list(directory)),
      rename: living((from: string, to: string) => this.rename(from, to)),
    };
  }

  /** The process dies and the machine does not: nothing is lost, and nothing is durable that was not. */
  killTheProcess(): void {
    this.#generation += 1;
  }

  text(path: string): string {
    return this.#node(path).data.toString();
  }

  /** Changes a file behind everybody's back. */
  edit(path: string, change: (data: Buffer) => Buffer): void {
    const node = this.#node(path);
    node.data = change(node.data);
    node.durable = node.data;
    node.changes += 1;
  }

  /** Puts another file in its place. */
  replace(path: string, data: Buffer): void {
    const node = { inode: this.#nextInode++, data, durable: data, changes: 0 };
    this.#entries.set(path, node);
    this.#durableEntries.set(path, node);
    this.#changes += 1;
  }

  remove(path: string): void {
    this.#entries.delete(path);
    this.#durableEntries.delete(path);
    this.#directories.delete(path);
    this.#changes += 1;
  }

  addDirectory(path: string): void {
    this.#directories.add(path);
  }

  names(): string[] {
    return [...this.#entries.keys()].map((path) => basename(path)).sort();
  }

  #node(path: string): Node {
    const node = this.#entries.get(path);
    if (node === undefined) throw failure('ENOENT', path);
    return node;
  }

  async open(path: string, mode: OpenMode): Promise<JournalFile> {
    this.#step(`open.${mode}`, path);
    if (!this.#directories.has(dirname(path))) throw failure('ENOENT', path);
    if (mode !== 'create') return this.#file(path, this.#node(path));
    if (this.#entries.has(path)) throw failure('EEXIST', path);
    const node = { inode: this.#nextInode++, data: Buffer.alloc(0), durable: Buffer.alloc(0), changes: 0 };
    this.#entries.set(path, node);
    this.#changes += 1;
    return this.#file(path, node);
  }

  #file(path: string, node: Node): JournalFile {
    const generation = this.#generation;
    const mustLive = () => {
      if (generation !== this.#generation) throw failure('EIO', 'a file of a dead process');
    };
    return {
      append: async (bytes) => {
        mustLive();
        const fault = this.#step('append', path);
        await turn();
        mustLive();
        const take = typeof fault === 'object' ? Math.min(fault.take, bytes.length) : bytes.length;
        const taken = bytes.subarray(0, take);
        const before = node.data.length;
        node.data = Buffer.concat([node.data, taken]);
        node.changes += 1;
        if (typeof fault === 'object' && fault.code !== undefined) throw failure(fault.code, 'append');
        await turn();
        mustLive();
        // Only what this call wrote: where earlier bytes were never synced, the disk has none of them.
        const gap = Buffer.alloc(Math.max(0, before - node.durable.length));
        node.durable = Buffer.concat([node.durable.subarray(0, before), gap, taken]);
        return take;
      },
      overwrite: async (bytes, position) => {
        mustLive();
        const fault = this.#step('overwrite', path);
        await turn();
        mustLive();
        const take = typeof fault === 'object' ? Math.min(fault.take, bytes.length) : bytes.length;
        const taken = bytes.slice(0, take);
        if (position + take > node.data.length) throw failure('EINVAL', 'overwrite, beyond what is there');
        node.over = { bytes: taken, position };
        node.data = Buffer.from(node.data);
        node.data.set(taken, position);
        node.changes += 1;
        if (typeof fault === 'object' && fault.code !== undefined) throw failure(fault.code, 'overwrite');
        await turn();
        mustLive();
        node.over = undefined;
        node.durable = Buffer.from(node.durable);
        node.durable.set(taken, position);
        return take;
      },
      read: async (target, position) => {
        this.#step('read', path);
        return node.data.copy(target, 0, position);
      },
      datasync: async () => {
        mustLive();
        this.#step('datasync', path);
        await turn();
        mustLive();
        node.durable = node.data;
      },
      truncate: async (length) => {
        this.#step('truncate', path);
        node.data = Buffer.from(node.data.subarray(0, length));
      },
      identity: async () => {
        this.#step('file.identity', path);
        return identityOf(node.inode, node.data.length, 0o600, node.changes);
      },
      close: async () => {
        this.#step('close', path);
      },
    };
  }

  async makeDirectory(path: string): Promise<void> {
    this.#step('makeDirectory', path);
    this.#directories.add(path);
  }

  async syncDirectory(path: string): Promise<void> {
    this.#step('syncDirectory', path);
    for (const name of this.#durableEntries.keys()) {
      if (dirname(name) === path && !this.#entries.has(name)) this.#durableEntries.delete(name);
    }
    for (const [name, node] of this.#entries) if (dirname(name) === path) this.#durableEntries.set(name, node);
  }

  async identity(path: string): Promise<FileIdentity | undefined> {
    this.#step('identity', path);
    const node = this.#entries.get(path);
    if (node !== undefined) return identityOf(node.inode, node.data.length, 0o600, node.changes);
    return this.#directories.has(path) ? identityOf(0, 0, 0o700, this.#changes) : undefined;
  }

  async list(directory: string): Promise<readonly string[]> {
    this.#step('list', directory);
    if (!this.#directories.has(directory))
      throw failure(this.#entries.has(directory) ? 'ENOTDIR' : 'ENOENT', directory);
    return [...this.#entries.keys()].filter((path) => dirname(path) === directory).map((path) => basename(path));
  }

  async rename(from: string, to: string): Promise<void> {
    this.#step('rename', from);
    this.#entries.set(to, this.#node(from));
    this.#entries.delete(from);
    this.#changes += 1;
  }
}

function identityOf(inode: number, size: number, mode: number, changedMs: number = 0): FileIdentity {
  return { device: 1, inode, size, mode, owner: 0, changedMs };
}

function failure(code: string, where: string): Error {
  return Object.assign(new Error(`${code}: injected into ${where}`), { code });
}

/** Lets others run, as a real disk does. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
