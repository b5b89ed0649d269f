import type { Static } from '../../schema/index.ts';
import {
  type AnswerFieldsSchema,
  type CallerFieldsSchema,
  type CommandFieldsSchema,
  type PostureFieldsSchema,
  recordBodySchemas,
} from './record-schema.ts';

export type { JournalObject, JournalValue } from './record-schema.ts';

type Schemas = typeof recordBodySchemas;

/** Kinds of records and what each holds; `record-schema.ts` says what it means. */
export type RecordBodies = { readonly [K in keyof Schemas]: Readonly<Static<Schemas[K]>> };
export type RecordKind = keyof RecordBodies;

/** Kinds that are given to `append`; the journal makes checkpoints itself. */
export type AppendableKind = Exclude<RecordKind, 'checkpoint'>;

/** Records that tell how something ended: nothing waits for them. */
export type NotableKind = 'decision' | 'outcome';

export const recordKinds = Object.keys(recordBodySchemas) as readonly RecordKind[];

/** Marks that an inquiry looks for first. */
export type RecordFlag = NonNullable<CommandFields['flags']>[number];

/** Who asked. Every part but the switch is absent when the caller was not authenticated. */
export type CallerFields = Readonly<Static<typeof CallerFieldsSchema>>;

/** A posture, in short. */
export type PostureFields = Readonly<Static<typeof PostureFieldsSchema>>;

/** The command and what was decided about it. Shared by `decision` and `intent`. */
export type CommandFields = Readonly<Static<typeof CommandFieldsSchema>>;

/** How the device answered. */
export type AnswerFields = Readonly<Static<typeof AnswerFieldsSchema>>;

export type StartRecord = RecordBodies['start'];
export type DecisionRecord = RecordBodies['decision'];
export type IntentRecord = RecordBodies['intent'];
export type OutcomeRecord = RecordBodies['outcome'];
export type PostureRecord = RecordBodies['posture'];
export type PolicyRecord = RecordBodies['policy'];
export type AuthenticationRecord = RecordBodies['authentication'];
export type RecoveryRecord = RecordBodies['recovery'];
export type StopRecord = RecordBodies['stop'];
export type ConsoleRecord = RecordBodies['console'];
export type TopologyRecord = RecordBodies['topology'];
export type SwitchEventRecord = RecordBodies['event'];
export type CheckpointRecord = RecordBodies['checkpoint'];
export type SinkRecord = RecordBodies['sink'];
export type EdgeRecord = RecordBodies['edge'];

/** What the journal adds to a body. No body may use these names. */
export interface RecordFrame {
  /** Version of the format. */
  readonly v: 1;
  /** From 1, without gaps. */
  readonly seq: number;
  /** Wall clock, ISO 8601 with milliseconds, UTC. */
  readonly at: string;
  /** Milliseconds on a clock that never goes back, comparable within one run of the broker. */
  readonly mono: number;
  /** Hash of the record before; 64 zeros in the first one. */
  readonly prev: string;
  /** SHA-256 of this line up to, and without, its `,"hash":` part; hex. */
  readonly hash: string;
}

/** A record as it is read back. Bodies written by a newer broker may hold more. */
export type JournalRecord = {
  readonly [K in RecordKind]: RecordFrame & { readonly kind: K } & RecordBodies[K];
}[RecordKind];
