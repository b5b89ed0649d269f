import { RC } from '../../../cci/index.ts';
import { type Command, command, done, finished, refused, room } from '../command.ts';
import { recordOf } from '../event-records.ts';
import { EVENT_LOGS, type EventLogState, LOG, logsOf } from '../events.ts';
import type { CciState } from '../state.ts';
import type { Target } from '../targets.ts';

const LOG_HEADER = 32;
const RECORD_SIZE = 128;
const INVALID_HANDLE = 0x000e;
const LOG_NAMES: readonly (string | number)[] = ['informational', 'warning', 'failure', 'fatal', 'dynamic-capacity'];
const MODES = ['none', 'msi-or-msi-x', 'firmware-interrupt'] as const;
const MODE_NAMES: readonly (string | number)[] = MODES;

/** Command set 01h: Events. */
export const set01: readonly Command[] = [
  command('get-event-records', (context, { event_log }) => {
    const log = logOf(context.target, event_log);
    if (log === undefined) return refused(RC.invalidInput);
    const records = log.records.slice(0, room(context, LOG_HEADER, RECORD_SIZE));
    return done({
      flags: { overflow: log.overflowCount > 0, more_event_records: records.length < log.records.length },
      overflow_error_count: log.overflowCount,
      first_overflow_event_timestamp: log.firstOverflowNs,
      last_overflow_event_timestamp: log.lastOverflowNs,
      event_records: records.map(recordOf),
    });
  }),

  // Handles are given oldest first; one that is not the next oldest refuses the whole request.
  command('clear-event-records', ({ target }, { event_log, clear_event_flags, event_record_handles }) => {
    const log = logOf(target, event_log);
    if (log === undefined) return refused(RC.invalidInput);
    if (clear_event_flags) {
      if (event_record_handles.length > 0) return refused(RC.invalidInput);
      log.records.length = 0;
    } else {
      if (event_record_handles.length === 0) return refused(RC.invalidInput);
      if (event_record_handles.some((handle, i) => log.records[i]?.handle !== handle)) return refused(INVALID_HANDLE);
      log.records.splice(0, event_record_handles.length);
    }
    log.overflowCount = 0;
    log.firstOverflowNs = 0n;
    log.lastOverflowNs = 0n;
    return finished();
  }),

  command('get-event-interrupt-policy', ({ target }) => {
    // All five bytes: readers of r3.x expect the last one of devices without dynamic capacity too.
    const [informational, warning, failure, fatal, dynamic] = target.cci.interruptPolicy.map((mode) => ({
      interrupt_mode: MODES[mode] ?? 'none',
      interrupt_message_number: 0,
    }));
    const none = { interrupt_mode: 'none', interrupt_message_number: 0 } as const;
    return done({
      informational_settings: informational ?? none,
      warning_settings: warning ?? none,
      failure_settings: failure ?? none,
      fatal_settings: fatal ?? none,
      dynamic_capacity_settings: dynamic ?? none,
    });
  }),

  command('set-event-interrupt-policy', ({ target }, settings) => {
    const dynamic = settings.dynamic_capacity_settings;
    const wanted = dynamic === undefined ? 0 : modeCode(dynamic);
    if (wanted !== 0 && !hasDynamicCapacity(target)) return refused(RC.invalidInput);
    target.cci.interruptPolicy = [
      modeCode(settings.informational_settings.interrupt_mode),
      modeCode(settings.warning_settings.interrupt_mode),
      modeCode(settings.failure_settings.interrupt_mode),
      modeCode(settings.fatal_settings.interrupt_mode),
      wanted,
    ];
    return finished();
  }),

  command('get-mctp-event-interrupt-policy', ({ target }) =>
    done({ event_interrupt_settings: policyValue(target.cci.mctpPolicy) }),
  ),

  command('set-mctp-event-interrupt-policy', ({ target }, { event_interrupt_settings: wanted }) => {
    if (wanted.dynamic_capacity_log && !hasDynamicCapacity(target)) return refused(RC.invalidInput);
    setPolicy(target.cci, wanted);
    return done({ event_interrupt_settings: policyValue(target.cci.mctpPolicy) });
  }),

  command('event-notification', () => finished()),
];

function hasDynamicCapacity(target: Target): boolean {
  return target.device !== undefined && target.device.dcd !== null;
}

function logOf(target: Target, name: string | number): EventLogState | undefined {
  const index = LOG_NAMES.indexOf(name);
  if (index < 0 || index >= EVENT_LOGS) return undefined;
  if (index === LOG.dynamicCapacity && !hasDynamicCapacity(target)) return undefined;
  return logsOf(target.cci)[index];
}

function modeCode(mode: string | number): number {
  return MODE_NAMES.indexOf(mode);
}

const POLICY_BITS = ['informational_log', 'warning_log', 'failure_log', 'fatal_log', 'dynamic_capacity_log'] as const;
const COMPLETED_BIT = 15;

type Policy = { readonly [K in (typeof POLICY_BITS)[number] | 'background_operation_completed']: boolean };

function policyValue(bits: number): Policy {
  const bit = (n: number): boolean => ((bits >> n) & 1) === 1;
  return {
    informational_log: bit(0),
    warning_log: bit(1),
    failure_log: bit(2),
    fatal_log: bit(3),
    dynamic_capacity_log: bit(4),
    background_operation_completed: bit(COMPLETED_BIT),
  };
}

function setPolicy(cci: CciState, policy: Policy): void {
  let bits = policy.background_operation_completed ? 1 << COMPLETED_BIT : 0;
  POLICY_BITS.forEach((name, i) => {
    if (policy[name]) bits |= 1 << i;
  });
  cci.mctpPolicy = bits;
}
