export type { ChainProblem, ChainProblemKind, Place, TrustedPart } from './chain-check.ts';
export type {
  Appended,
  AppendOptions,
  DurableListener,
  DurableRecord,
  Journal,
  JournalClock,
  JournalHealth,
  OpenReport,
} from './contract.ts';
export { JournalError, type JournalErrorCode, type JournalPosition } from './errors.ts';
export {
  type FileIdentity,
  hostJournalFileSystem,
  type JournalFile,
  type JournalFileSystem,
  type OpenMode,
} from './file-system.ts';
export {
  type CheckpointKey,
  type CheckpointSigner,
  checkpointKey,
  newSigningKey,
  openSigningKey,
  signerOf,
} from './key.ts';
export { PreparedMembers } from './line.ts';
export { readLines } from './line-reader.ts';
export type { JournalLock } from './lock.ts';
export { type JournalOptions, openJournal, systemJournalClock } from './open.ts';
export type { OpenIntent } from './open-intents.ts';
export { type ReadOptions, type RecordFilter, readJournal, showRequest } from './read.ts';
export { journalRecordSchema } from './record-json-schema.ts';
export { linkOf, type RecordingProblem, type RecordingProblemKind, type RecordingVerdict } from './recording-check.ts';
export * from './records.ts';
export type { AuthenticRange, GoodCheckpoint, SignatureProblem, SignatureProblemKind } from './signature-check.ts';
export { type JournalVerdict, type Problem, type ProblemKind, type VerifyOptions, verifyJournal } from './verify.ts';
export type { WitnessVerdict } from './witness-check.ts';
