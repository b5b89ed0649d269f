import { readFileSync } from 'node:fs';
import Type from 'typebox';
import type { TLocalizedValidationError } from 'typebox/error';
import { Value } from 'typebox/value';
import { type FilePath, type FileProblem, formatProblem, parseYaml } from '../../yaml/index.ts';
import type { Timing } from './options.ts';
import { resolveTopology } from './topology-resolve.ts';
import { topologyFileSchema } from './topology-schema.ts';

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
  if (!Value.Check(topologyFileSchema, content)) {
    const errors = Value.Errors(topologyFileSchema, content);
    const choices = new Set(errors.filter((error) => error.keyword === 'anyOf').map((error) => error.instancePath));
    for (const error of errors) {
      // The key that is not known is reported by its own error, at its own place.
      if (error.keyword === 'additionalProperties') continue;
      // Where several forms are allowed, one message says so; that none of them fits says nothing more.
      if (choices.has(error.instancePath) && error.keyword !== 'anyOf') continue;
      const path = pathOf(error.instancePath);
      report(path, `${path.length === 0 ? 'the file' : `\`${path.join('.')}\``} ${textOf(error, path)}`);
    }
    throw new TopologyError(problems);
  }
  const topology = resolveTopology(content, report);
  if (problems.length > 0) throw new TopologyError(problems);
  return topology;
}

/** Forms of the keys that have more than one. */
const FORMS: { readonly [key: string]: string } = {
  ids: 'must be an id from 0 to 255 or a range such as `8-31`',
  serial: 'must be a whole number or a text such as `0xc0ffee`',
};

function textOf(error: TLocalizedValidationError, path: FilePath): string {
  if (error.keyword === 'anyOf') return FORMS[String(path.at(-1))] ?? error.message;
  if (error.keyword === 'boolean') return 'is not a known key';
  if (error.keyword === 'enum')
    return `must be one of ${error.params.allowedValues.map((v) => `\`${String(v)}\``).join(', ')}`;
  if (error.keyword === 'pattern') return 'must be a size such as `64GiB`';
  if (error.keyword === 'type') return `must be ${String(error.params.type)}`;
  return error.message;
}

/** Keys of a JSON pointer. */
function pathOf(pointer: string): FilePath {
  const parts = pointer.split('/').slice(1);
  return parts.map((part) => (/^\d+$/.test(part) ? Number(part) : part.replaceAll('~1', '/').replaceAll('~0', '~')));
}
