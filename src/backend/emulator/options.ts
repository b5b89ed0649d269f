import { type Static, Type } from '../../schema/index.ts';
import { faultRuleSchema } from './fault-schema.ts';

const ms = Type.Number({ minimum: 0, maximum: 3_600_000 });

/** How long things take, in milliseconds of the injected clock. */
export const timingSchema = Type.Object(
  {
    bindMs: Type.Optional(ms),
    /** Unbind with a managed or a surprise hot-remove. */
    unbindMs: Type.Optional(ms),
    /** Unbind option 0: when the host lets the link go down; null never. */
    hostReleaseMs: Type.Optional(Type.Union([ms, Type.Null()])),
    linkTrainingMs: Type.Optional(ms),
    sanitizeMs: Type.Optional(ms),
    scanMs: Type.Optional(ms),
    firmwareMs: Type.Optional(ms),
    logMs: Type.Optional(ms),
    maintenanceMs: Type.Optional(ms),
    /** When an emulated host answers an offer of dynamic capacity. */
    hostAnswerMs: Type.Optional(ms),
  },
  { additionalProperties: false },
);

/** `strict` answers 0015h to what the specification keeps from a kind of CCI; `all` executes it. */
export const supportSchema = Type.Enum(['strict', 'all']);

export type Timing = {
  readonly [K in keyof Required<Static<typeof timingSchema>>]: Required<Static<typeof timingSchema>>[K];
};

export const defaultTiming: Timing = {
  bindMs: 50,
  unbindMs: 50,
  hostReleaseMs: 500,
  linkTrainingMs: 20,
  sanitizeMs: 500,
  scanMs: 200,
  firmwareMs: 100,
  logMs: 50,
  maintenanceMs: 100,
  hostAnswerMs: 5,
};

/**
 * The part of the options that a configuration file can carry.
 *
 * - `support`: `strict` answers 0015h to a command that the specification keeps from this kind of CCI; `all` answers
 *   it, for tools that have no other way to a device than a tunnel.
 */
export const EmulatorOptions = Type.Object(
  {
    topology: Type.Optional(Type.String({ description: 'path of a topology file' })),
    seed: Type.Optional(Type.Integer({ minimum: 0, maximum: 0xffff_ffff })),
    bootId: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
    maxPayload: Type.Optional(Type.Integer({ minimum: 256, maximum: 1 << 20 })),
    maxInFlight: Type.Optional(Type.Integer({ minimum: 1, maximum: 255 })),
    support: Type.Optional(supportSchema),
    eventLogSize: Type.Optional(Type.Integer({ minimum: 1, maximum: 4096 })),
    timing: Type.Optional(timingSchema),
    /** Adversarial mode: what goes wrong, and when. */
    faults: Type.Optional(Type.Array(faultRuleSchema)),
  },
  { additionalProperties: false },
);
export type EmulatorOptions = Static<typeof EmulatorOptions>;

/** Milliseconds on a clock that only goes forward. */
export type Clock = () => number;

/** What the machine itself is told, with every default written out. */
export interface MachineOptions {
  readonly seed: number;
  /** Largest payload the carrier takes, either way. */
  readonly maxPayload: number;
  readonly support: 'strict' | 'all';
  /** Records each event log holds. */
  readonly eventLogSize: number;
  readonly timing: Timing;
  readonly clock: Clock;
}

/**
 * 5302h with 4096 bytes is a payload of 4112, two tunnel levels add 32, a 5101h reply of 255 ports has 4084: all fit
 * twice over.
 */
export const DEFAULT_MAX_PAYLOAD = 8192;
/** 2^13, the largest message of the tools that speak MCTP over TCP; what Identify states. */
export const MAX_MESSAGE_EXPONENT = 13;
export const MIN_MESSAGE_EXPONENT = 8;
