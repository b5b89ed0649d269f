import type { CommandRef, MandatoryFacts, ReadPolicy, ResourcePath } from '../policy/index.ts';

// What goes between the broker and the thread that runs the reference: plain data, in pieces that hold up nobody.

type Rules = ReadPolicy['rules'];
/** A row as the reference needs it: texts, and where it stands. */
export type GrantText = Pick<Rules['grants'][number], 'row' | 'file' | 'line'>;
export type MandatoryText = Pick<Rules['mandatory'][number], 'row' | 'file' | 'line'>;
export type LinkText = Pick<Rules['links'][number], 'name' | 'role' | 'tenant'>;

/** What the engine said of one resource. */
export interface SampledGrant {
  readonly resource: ResourcePath;
  /** Whose it is: both sides ask the same fabric, which is not what is compared. */
  readonly owner: string | undefined;
  readonly allowed: boolean;
  readonly source: string | undefined;
}

/** One decision that was taken, with all that the rules were asked about it. */
export interface Sample {
  readonly snapshot: string;
  readonly requestId: string | undefined;
  readonly principal: string;
  readonly names: readonly string[];
  readonly tenant: string;
  readonly command: CommandRef;
  readonly grants: readonly SampledGrant[];
  readonly facts: Omit<MandatoryFacts, 'conditions' | 'tenant' | 'command'> & {
    readonly conditions: readonly string[];
  };
  /** Source of the first mandatory row that denied. */
  readonly deniedBy: string | undefined;
}

/** Where engine and reference part. */
export interface Difference {
  readonly snapshot: string;
  readonly principal: string;
  readonly tenant: string;
  readonly command: CommandRef;
  /** Absent where the mandatory rows are what differs. */
  readonly resource?: ResourcePath;
  readonly engine: { readonly allowed: boolean; readonly source?: string };
  readonly reference: { readonly allowed: boolean; readonly source?: string };
}

export type ToReference =
  | { readonly kind: 'begin'; readonly snapshot: string; readonly vendor: readonly string[] }
  | { readonly kind: 'grants'; readonly rows: readonly GrantText[] }
  | { readonly kind: 'links'; readonly rows: readonly LinkText[] }
  | { readonly kind: 'mandatory'; readonly rows: readonly MandatoryText[] }
  | { readonly kind: 'end' }
  | { readonly kind: 'sample'; readonly sample: Sample };

export type FromReference =
  | { readonly kind: 'ready'; readonly snapshot: string }
  | {
      readonly kind: 'compared';
      readonly decisions: number;
      readonly differences: readonly Difference[];
      /** How long it took. */
      readonly tookMs: number;
    };
