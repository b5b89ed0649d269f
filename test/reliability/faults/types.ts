/** What somebody sees while a fault lasts. All but `who` and `text` is compared with what came back. */
export interface Sight {
  readonly who: string;
  /** In words, where there is no answer to quote. */
  readonly text?: string;
  readonly status?: number;
  readonly code?: string;
  readonly detail?: string;
  /** Error of the caller's socket. */
  readonly socket?: string;
}

/** One row of the table: what is done to the broker, what is seen, what is kept, how it recovers. */
export interface Fault {
  readonly title: string;
  readonly done: string;
  readonly sees: { readonly [name: string]: Sight };
  readonly kept: string;
  readonly recovers: string;
  /** Measured when the page is written: name to a phrase in which `#` is the figure. */
  readonly figures?: { readonly [name: string]: string };
  /** `plain`: with all other tests. `whole`: with `npm run test:reliability`. */
  readonly runs: 'plain' | 'whole';
  readonly needs?: 'root';
}

export type Faults = { readonly [id: string]: Fault };
