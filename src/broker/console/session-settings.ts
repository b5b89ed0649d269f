import type { ProgramExit } from '../../backend/console/index.ts';
import type { ConsoleProgramSettings } from '../config/index.ts';
import type { ConsoleEnd, ConsoleEndReason } from '../console-api.ts';
import type { Party } from './requests.ts';

/** What a session is, and what it tells those who opened it. */
export interface SessionSettings {
  readonly id: string;
  readonly program: ConsoleProgramSettings;
  readonly reason: string;
  readonly opener: Party;
  readonly approvedBy: string | undefined;
  readonly columns: number;
  readonly rows: number;
  readonly openedAtMs: number;
  readonly endsAtMs: number;
  readonly watcher: 'none' | 'required';
  readonly watcherMs: number;
  readonly resumeMs: number;
  readonly nowMs: () => number;
  /** Something that the journal has to tell; it may fail without harm to the order of things. */
  readonly note: (
    change: 'watched' | 'unwatched' | 'paused' | 'continued' | 'detached' | 'resumed',
    by?: string,
  ) => void;
  /** Everything that could forbid the session has to be looked at again; a sentence where it does. */
  readonly inspect: (opener: Party) => Promise<{ readonly why: ConsoleEndReason; readonly detail: string } | undefined>;
  /** The program and all of its processes are gone: what is left to do before others hear of the end. Never rejects. */
  readonly onEnded: (end: ConsoleEnd, exit: ProgramExit | undefined) => Promise<void>;
}
