import { RC } from '../../../cci/index.ts';
import { startBackground } from '../background.ts';
import { type Command, command, done, finished, refused, room } from '../command.ts';
import { type LogEntry, logBytes, logTable } from '../logs.ts';
import type { Target } from '../targets.ts';

const LOG_ENTRY_SIZE = 20;

function find(target: Target, uuid: string): LogEntry | undefined {
  return logTable(target.kind).find((log) => log.uuid === uuid);
}

/** Command set 04h: Logs. */
export const set04: readonly Command[] = [
  command('get-supported-logs', (context) => {
    const logs = logTable(context.target.kind).slice(0, room(context, 8, LOG_ENTRY_SIZE));
    return done({ supported_log_entries: logs.map((log) => entry(log, logBytes(context, log).length)) });
  }),

  command('get-log', (context, { log_identifier, offset, length }) => {
    const log = find(context.target, log_identifier);
    if (log === undefined) return refused(RC.invalidLog);
    const bytes = logBytes(context, log);
    if (length > context.budget || offset + length > bytes.length) return refused(RC.invalidInput);
    return done({ log_data: bytes.slice(offset, offset + length) });
  }),

  command('get-log-capabilities', (context, { log_identifier }) => {
    const log = find(context.target, log_identifier);
    if (log === undefined) return refused(RC.invalidLog);
    return done({
      parameter_flags: {
        clear_log_supported: log.clears,
        populate_log_supported: log.populates,
        auto_populate_supported: false,
        persistent_across_cold_reset: log.clears,
      },
    });
  }),

  command('clear-log', (context, { log_identifier }) => {
    const log = find(context.target, log_identifier);
    if (log === undefined) return refused(RC.invalidLog);
    if (!log.clears) return refused(RC.invalidInput);
    setLog(context.target, log.uuid, new Uint8Array(0));
    return finished();
  }),

  command('populate-log', (context, { log_identifier }) => {
    const log = find(context.target, log_identifier);
    if (log === undefined) return refused(RC.invalidLog);
    if (!log.populates) return refused(RC.invalidInput);
    const { machine, target } = context;
    const job = { kind: 'populate-log', log: log.uuid } as const;
    return refused(startBackground(machine, target.cci, 0x0404, machine.options.timing.logMs, job));
  }),

  command('get-supported-logs-sub-list', (context, { max_supported_log_entries, start_log_entry_index }) => {
    const all = logTable(context.target.kind);
    if (start_log_entry_index >= all.length) return refused(RC.invalidInput);
    const limit = Math.min(max_supported_log_entries, room(context, 8, LOG_ENTRY_SIZE));
    const logs = all.slice(start_log_entry_index, start_log_entry_index + limit);
    return done({
      total_number_of_supported_log_entries: all.length,
      start_log_entry_index,
      supported_log_entries: logs.map((log) => entry(log, logBytes(context, log).length)),
    });
  }),
];

function entry(log: LogEntry, size: number): { readonly log_identifier: string; readonly log_size: number } {
  return { log_identifier: log.uuid, log_size: size };
}

/** Replaces the contents of a log that can change. */
export function setLog(target: { readonly cci: Target['cci'] }, uuid: string, bytes: Uint8Array): void {
  target.cci.logs ??= new Map();
  target.cci.logs.set(uuid, bytes);
}
