import { type Command, command, done } from '../command.ts';
import { capacityOf } from '../media.ts';

/** Capacities are counted in units of 256 MiB. */
const UNIT = 1n << 28n;

/** Command set 40h: Identify Memory Device. */
export const set40: readonly Command[] = [
  command('identify-memory-device', ({ machine, target }) => {
    const { device } = target;
    const total = capacityOf(machine, target);
    const size = machine.options.eventLogSize;
    const firmware = device?.firmware;
    const spec = device === undefined ? undefined : machine.specOf(device);
    return done({
      fw_revision: firmware?.slots[firmware.active - 1] ?? '',
      total_capacity: total / UNIT,
      volatile_only_capacity: 0n,
      persistent_only_capacity: 0n,
      // One unit: every 256 MiB may be volatile or persistent.
      partition_alignment: 1n,
      informational_event_log_size: size,
      warning_event_log_size: size,
      failure_event_log_size: size,
      fatal_event_log_size: size,
      lsa_size: spec?.lsaBytes ?? 0,
      poison_list_maximum_media_error_records: 256,
      inject_poison_limit: 64,
      poison_handling_capabilities: { injects_persistent_poison: false, scans_for_poison: true },
      qos_telemetry_capabilities: { egress_port_congestion: true, temporary_throughput_reduction: true },
      dynamic_capacity_event_log_size: device?.dcd === null ? 0 : size,
    });
  }),
];
