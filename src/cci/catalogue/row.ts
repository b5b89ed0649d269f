import type { Layout } from '../layout.ts';

/** Who can execute a command. `ld-pool-cci` is the pool CCI of an MLD or multi-headed device. */
export type Component = 'switch' | 'sld' | 'ld' | 'fm-owned-ld' | 'ld-pool-cci' | 'gfd' | 'gae' | (string & {});

/**
 * Support marks of the specification per CCI class: `P` prohibited, anything else some degree of mandatory or
 * optional (the suffix names the kind of component).
 */
export interface Support {
  readonly deviceMailbox: string;
  readonly type3Mctp: string;
  readonly switchHostMailbox: string;
  readonly switchFmInterface: string;
}

/** 0 configuration, 1 debug read-only, 2 debug write, 3 debug write full (fwctl's scopes by value, R14). */
export type Scope = 0 | 1 | 2 | 3;

export interface SizeRange {
  readonly min: number;
  /** null: bounded only by the carrier. */
  readonly max: number | null;
}

/** What a reviewed vendor command touches: the switch itself, all that is at the end of a tunnel, or what fields name. */
export type Touches =
  | { readonly kind: 'switch' }
  | { readonly kind: 'path-end' }
  | { readonly kind: 'port'; readonly port: string }
  | { readonly kind: 'ld'; readonly port: string; readonly ld: string }
  | { readonly kind: 'vcs'; readonly vcs: string }
  | { readonly kind: 'vppb'; readonly vcs: string; readonly vppb: string };

/** Who answers for a reviewed vendor command. */
export interface Review {
  readonly reviewer: string;
  /** `2026-11-02` */
  readonly date: string;
  /** The vendor's document that the layout was read from. */
  readonly reference: string;
  readonly reason: string;
}

/** What a reviewed vendor row says beside the columns of the catalogue (R20). */
export interface VendorTerms {
  readonly review: Review;
  readonly touches: Touches;
  /** `none`: the reply tells of nothing but what is touched. `possible`: nobody said so. */
  readonly ownerData: 'none' | 'possible';
  /** The whole definition as JSON text: two rows say the same where this is the same. */
  readonly definition: string;
}

/**
 * One command. The table of these rows *is* the policy's ground: an opcode without a verified row is raw (R1).
 */
export interface CommandRow<
  S extends string = string,
  Q extends Layout | null = Layout | null,
  P extends Layout | null = Layout | null,
> {
  readonly opcode: number;
  /** Stable kebab-case key, unique. */
  readonly slug: S;
  readonly name: string;
  /** Slug of the command set: what `set:` selects in a grant. */
  readonly set: string;
  readonly spec: string;
  /** `UNVERIFIED`: fewer than two independent sources for the bytes; no codec, raw only. */
  readonly status: 'verified' | 'UNVERIFIED';
  readonly executesOn: readonly Component[];
  readonly support: Support;
  readonly background: 'never' | 'may' | 'always';
  /** `by-content`: the payload decides (configuration and memory requests, tunnels). */
  readonly mutating: boolean | 'by-content';
  /** Effect bits that the specification gives this command in a CEL; null where it says nothing. */
  readonly effects: number | null;
  /** Worst case over all components: whom one such command can disturb. */
  readonly radius: string;
  readonly scope: Scope;
  /** The safe reads. `tunnelled`: only below a tunnel. `cel-only`: only for the Command Effects Log. */
  readonly allowlisted?: 'everywhere' | 'tunnelled' | 'cel-only';
  /** `slug-only`: no set, class, scope or range reaches it. `never`: cannot be granted at all. */
  readonly grant?: 'slug-only' | 'never';
  /** Refused to everybody with ENOTTY; the text says why. */
  readonly notOffered?: string;
  /** Kept for the broker itself, EBUSY for everybody else (R4); the text says why. */
  readonly claimed?: string;
  /**
   * On the switch's own CCI the broker answers it from what it keeps for the caller's tenant, and the device never sees
   * it; the text says what that is. There a claim does not refuse it.
   */
  readonly virtual?: string;
  /** Only on commands of a vendor that the policy describes, C000h and above (R20). */
  readonly vendor?: VendorTerms;
  readonly request: Q;
  readonly response: P;
  /** Sizes of a row without layouts. */
  readonly requestSize?: SizeRange;
  readonly responseSize?: SizeRange;
}

/** Keeps the literal types of one row, from which the types of its parameters and result follow. */
export const row = <const S extends string, const Q extends Layout | null, const P extends Layout | null>(
  definition: CommandRow<S, Q, P>,
): CommandRow<S, Q, P> => definition;
