import type { Dialect } from '../../cci/index.ts';

/** Bounds of an MCTP listener. Every one protects it, and the other clients, from one of them. */
export interface MctpLimits {
  /** Connections open at one time; a new one takes the place of the one that has been idle longest. */
  readonly connections: number;
  /** How long a connection must have been idle before a new one may take its place. */
  readonly yieldsAfterMs: number;
  /** Silence after which a connection is closed. */
  readonly idleMs: number;
  /** From the first byte of a packet, and from the first packet of a message, to its last. */
  readonly assemblyMs: number;
  /** Largest payload of a request in bytes: header and 8 KiB cover every tool that is known. */
  readonly maxPayload: number;
  /** Whole requests of one connection that may wait; then no more of it is read until one is answered. */
  readonly queued: number;
  /** After this a request is answered with 0004h, whatever becomes of it. */
  readonly answerMs: number;
  /** How long a client may take to read a reply. */
  readonly writeMs: number;
  /** How long `close()` waits for requests under way. */
  readonly shutdownMs: number;
}

const limits = {
  connections: 256,
  yieldsAfterMs: 1000,
  idleMs: 600_000,
  assemblyMs: 5000,
  maxPayload: 8192,
  queued: 8,
  writeMs: 10_000,
  shutdownMs: 3000,
} as const;

/** The tools of one dialect wait 10 s for an answer, those of the other 2 s; neither asks again. */
export const defaultMctpLimits: { readonly [D in Dialect]: MctpLimits } = {
  spec: { ...limits, answerMs: 1800 },
  jackrabbit: { ...limits, answerMs: 9000 },
};
