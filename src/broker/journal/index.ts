export type { ChainProblem, ChainProblemKind, TrustedPart } from './chain-check.ts';
export type { Appended, Journal, JournalClock, JournalHealth, OpenReport } from './contract.ts';
export { JournalError, type JournalErrorCode, type JournalPosition } from './errors.ts';
export {
  type FileIdentity,
  hostJournalFileSystem,
  type JournalFile,
  type JournalFileSystem,
  type OpenMode,
} from './file-system.ts';
export type { JournalLock } from './lock.ts';
export { type JournalOptions, openJournal, systemJournalClock } from './open.ts';
export type { OpenIntent } from './open-intents.ts';
export { type ReadOptions, type RecordFilter, readJournal, showRequest } from './read.ts';
export * from './records.ts';
export { type JournalVerdict, type VerifyOptions, verifyJournal } from './verify.ts';
