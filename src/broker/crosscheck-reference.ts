import { extendCommands, formOf, readVendorRow } from '../cci/index.ts';
import { type Condition, createReference, type Principal, type ReferenceEngine } from '../policy/index.ts';
import type {
  Difference,
  FromReference,
  GrantText,
  LinkText,
  MandatoryText,
  Sample,
  ToReference,
} from './crosscheck-messages.ts';

interface Building {
  readonly snapshot: string;
  readonly vendor: readonly string[];
  readonly grants: GrantText[];
  readonly links: LinkText[];
  readonly mandatory: MandatoryText[];
}

/**
 * The slow, unindexed engine of one snapshot beside the fast one: takes the rules in pieces, then decisions, and says
 * where it would have decided otherwise. Knows nothing of threads.
 */
export class CrosscheckReference {
  private building: Building | undefined;
  private snapshot = '';
  private engine: ReferenceEngine | undefined;
  private owner: string | undefined;
  private readonly words = new Map<string, string>();

  async take(message: ToReference): Promise<FromReference | undefined> {
    switch (message.kind) {
      case 'begin':
        this.engine = undefined;
        this.words.clear();
        this.building = { ...message, grants: [], links: [], mandatory: [] };
        return undefined;
      case 'grants':
        this.building?.grants.push(...message.rows.map((rule) => this.shared(rule)));
        return undefined;
      case 'links':
        this.building?.links.push(...message.rows);
        return undefined;
      case 'mandatory':
        this.building?.mandatory.push(...message.rows);
        return undefined;
      case 'end':
        return this.build();
      case 'sample':
        return this.compare(message.sample);
    }
  }

  /** Every message brings its texts anew; many rows share few words. */
  private shared({ row: [role, tenant, resource, command, effect], file, line }: GrantText): GrantText {
    const word = (text: string): string => {
      const known = this.words.get(text);
      if (known === undefined) this.words.set(text, text);
      return known ?? text;
    };
    return { row: [word(role), word(tenant), word(resource), word(command), effect], file: word(file), line };
  }

  private async build(): Promise<FromReference | undefined> {
    if (this.building === undefined) return undefined;
    const { snapshot, vendor, ...rules } = this.building;
    this.building = undefined;
    const rows = vendor.map((text) => readVendorRow(formOf(JSON.parse(text)), () => undefined));
    const commands = extendCommands(rows.filter((row) => row !== undefined));
    this.engine = await createReference({ ...rules, commands }, { ownerOf: () => this.owner });
    this.snapshot = snapshot;
    this.words.clear();
    return { kind: 'ready', snapshot };
  }

  private compare(sample: Sample): FromReference {
    const { engine } = this;
    // Taken under a policy that is not in force any more.
    if (engine === undefined || sample.snapshot !== this.snapshot)
      return { kind: 'compared', decisions: 0, differences: [], tookMs: 0 };
    const began = performance.now();
    const differences = [...this.grantDifferences(engine, sample), ...mandatoryDifferences(engine, sample)];
    return { kind: 'compared', decisions: 1, differences, tookMs: performance.now() - began };
  }

  private grantDifferences(engine: ReferenceEngine, sample: Sample): readonly Difference[] {
    const principal = callerOf(sample);
    return sample.grants.flatMap(({ resource, owner, allowed, source }): readonly Difference[] => {
      this.owner = owner;
      const said = engine.grant(principal, resource, sample.command);
      if (said.allowed === allowed && said.rule?.source === source) return [];
      return [
        {
          ...about(sample),
          resource,
          engine: verdict(allowed, source),
          reference: verdict(said.allowed, said.rule?.source),
        },
      ];
    });
  }
}

function mandatoryDifferences(engine: ReferenceEngine, sample: Sample): readonly Difference[] {
  const { facts, tenant, command, deniedBy } = sample;
  const said = engine.mandatory({
    ...facts,
    conditions: new Set(facts.conditions as readonly Condition[]),
    tenant,
    command,
  });
  if (said.allowed === (deniedBy === undefined) && said.source === deniedBy) return [];
  return [
    {
      ...about(sample),
      engine: verdict(deniedBy === undefined, deniedBy),
      reference: verdict(said.allowed, said.source),
    },
  ];
}

function about({ snapshot, principal, tenant, command }: Sample) {
  return { snapshot, principal, tenant, command };
}

function verdict(allowed: boolean, source: string | undefined): Difference['engine'] {
  return source === undefined ? { allowed } : { allowed, source };
}

/** As much of a caller as rules look at. */
function callerOf({ principal, names, tenant }: Sample): Principal {
  return { name: principal, names, tenant, scopes: [], issuer: '', subject: '', tokenId: '', expiresAtMs: 0 };
}
