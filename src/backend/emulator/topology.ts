import { readFileSync } from 'node:fs';
import { type Static, Type } from '../../schema/index.ts';
import { type FilePath, type FileProblem, formatProblem, type Misfit, misfitsOf, parseYaml } from '../../yaml/index.ts';
import type { Timing } from './options.ts';
import { resolveTopology } from './topology-resolve.ts';
import { topologyFileSchema } from './topology-schema.ts';
import type { VendorCommandSpec } from './vendor-commands.ts';

/** PCI identity of a component: 16 bits each. */
export interface PciIdentity {
  readonly vendorId: number;
  readonly deviceId: number;
  readonly subsystemVendorId: number;
  readonly subsystemId: number;
}

export interface RegionSpec {
  readonly sizeBytes: bigint;
  readonly blockBytes: bigint;
  readonly sharable: boolean;
  readonly sanitizeOnRelease: boolean;
}

export interface DynamicCapacitySpec {
  readonly hosts: number;
  readonly regions: readonly RegionSpec[];
  readonly extents: number;
  readonly tags: number;
  readonly hostAnswer: 'accept' | 'refuse' | 'manual';
}

export interface DeviceSpec extends PciIdentity {
  readonly name: string;
  readonly kind: 'sld' | 'mld';
  readonly serial: bigint;
  /** Static capacity; dynamic capacity comes on top. */
  readonly capacityBytes: bigint;
  readonly persistentBytes: bigint;
  readonly granularity: '256-mib' | '512-mib' | '1-gib';
  /** One entry per LD, bytes; empty for an SLD. */
  readonly allocationBytes: readonly bigint[];
  readonly heads: number;
  readonly lsaBytes: number;
  readonly dynamicCapacity: DynamicCapacitySpec | null;
}

export interface PortSpec {
  readonly id: number;
  readonly role: 'usp' | 'dsp' | 'fabric';
  /** Index into `Topology.devices`, null where nothing is plugged in. */
  readonly device: number | null;
  readonly head: number;
  readonly maximumWidth: number;
  readonly negotiatedWidth: number;
  /** 1 = 2.5 GT/s .. 6 = 64 GT/s. */
  readonly maximumSpeed: number;
}

export interface BindingSpec {
  readonly vppb: number;
  readonly port: number;
  /** null for a whole port. */
  readonly ld: number | null;
}

export interface VcsSpec {
  readonly id: number;
  readonly usp: number;
  readonly vppbs: number;
  readonly bindings: readonly BindingSpec[];
}

/** A checked topology with every range and default written out. Plain data. */
export interface Topology {
  readonly switch: PciIdentity & {
    readonly serial: bigint;
    readonly ingressPort: number;
    readonly hdmDecoders: number;
    readonly pbr: boolean;
  };
  readonly behaviour: { readonly support?: 'strict' | 'all'; readonly timing?: Partial<Timing> };
  readonly devices: readonly DeviceSpec[];
  readonly ports: readonly PortSpec[];
  readonly vcss: readonly VcsSpec[];
  readonly vendorCommands?: readonly VendorCommandSpec[];
}

/** A topology file that cannot be used. `message` has one `file:line:column: text` per line. */
export class TopologyError extends Error {
  readonly code = 'TOPOLOGY';
  readonly problems: readonly FileProblem[];

  constructor(problems: readonly FileProblem[]) {
    super(problems.map(formatProblem).join('\n'));
    this.name = 'TopologyError';
    this.problems = problems;
  }
}

/** Reports a problem at the place a path leads to. */
export type Report = (path: FilePath, message: string) => void;

/**
 * Reads a topology file.
 *
 * @throws TopologyError with line and column; the errors of `readFileSync` where the file cannot be read
 */
export function loadTopology(path: string): Topology {
  return parseTopology(readFileSync(path, 'utf8'), path);
}

/**
 * Checks the text of a topology file: schema first, then what a schema cannot say (ids that exist, one binding per
 * LD, allocations that fit). All problems of the first failing step are reported together.
 *
 * @param file name for messages
 * @throws TopologyError
 */
export function parseTopology(text: string, file = 'topology'): Topology {
  // The schema is held against the content here, because it has choices of which one message shall speak.
  const parsed = parseYaml(Type.Unknown(), text, file);
  if (!parsed.ok) throw new TopologyError(parsed.problems);
  const { content, problemAt } = parsed.value;
  const problems: FileProblem[] = [];
  const report: Report = (path, message) => problems.push(problemAt(path, message));
  const misfits = misfitsOf(topologyFileSchema, content);
  if (misfits.length > 0) {
    const choices = new Set(misfits.filter(({ keyword }) => keyword === 'anyOf').map(({ path }) => path.join('/')));
    for (const misfit of misfits) {
      const { path, keyword } = misfit;
      // Where several forms are allowed, one message says so; that none of them fits says nothing more.
      if (choices.has(path.join('/')) && keyword !== 'anyOf') continue;
      report(path, `${path.length === 0 ? 'the file' : `\`${path.join('.')}\``} ${textOf(misfit)}`);
    }
    throw new TopologyError(problems);
  }
  const topology = resolveTopology(content as Static<typeof topologyFileSchema>, report);
  if (problems.length > 0) throw new TopologyError(problems);
  return topology;
}

/** Forms of the keys that have more than one. */
const FORMS: { readonly [key: string]: string } = {
  ids: 'must be an id from 0 to 255 or a range such as `8-31`',
  serial: 'must be a whole number or a text such as `0xc0ffee`',
};

function textOf({ keyword, message, params, path }: Misfit): string {
  if (keyword === 'anyOf') return FORMS[String(path.at(-1))] ?? message;
  if (keyword === 'enum' && Array.isArray(params.allowedValues)) {
    return `must be one of ${params.allowedValues.map((value) => `\`${String(value)}\``).join(', ')}`;
  }
  if (keyword === 'pattern') return 'must be a size such as `64GiB`';
  return keyword === 'type' ? `must be ${String(params.type)}` : message;
}
