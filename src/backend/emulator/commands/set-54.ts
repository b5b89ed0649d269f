import { RC } from '../../../cci/index.ts';
import { reallocate } from '../allocations.ts';
import { type Command, command, done, refused, room } from '../command.ts';
import type { DeviceState } from '../state.ts';

/** Command set 54h: MLD Components. Executed by the FM-owned LD. */
export const set54: readonly Command[] = [
  command('get-ld-info', ({ machine, target }) => {
    const device = deviceOf(target.device);
    return done({
      memory_size: machine.specOf(device).capacityBytes,
      ld_count: device.lds.length,
      qos_telemetry_capability: { egress_port_congestion: true, temporary_throughput_reduction: true },
    });
  }),

  command('get-ld-allocations', (context, { start_ld_id, ld_allocation_list_limit }) => {
    const device = deviceOf(context.target.device);
    if (start_ld_id >= device.lds.length) return refused(RC.invalidInput);
    const limit = Math.min(ld_allocation_list_limit, room(context, 4, 16));
    return done({
      number_of_lds: device.lds.length,
      memory_granularity: context.machine.specOf(device).granularity,
      start_ld_id,
      ld_allocation_list: allocations(device, start_ld_id, limit),
    });
  }),

  command('set-ld-allocations', ({ machine, target }, { start_ld_id, ld_allocation_list }) => {
    const device = deviceOf(target.device);
    const wanted = ld_allocation_list.map((entry) => ({
      range1: entry.range_1_allocation_multiplier,
      range2: entry.range_2_allocation_multiplier,
    }));
    const returnCode = reallocate(machine, device, start_ld_id, wanted);
    if (returnCode !== RC.success) return refused(returnCode);
    return done({ start_ld_id, ld_allocation_list: allocations(device, start_ld_id, wanted.length) });
  }),

  command('get-qos-control', ({ target }) => done(qosValue(deviceOf(target.device)))),

  command('set-qos-control', ({ target }, wanted) => {
    const device = deviceOf(target.device);
    if (wanted.egress_moderate_percentage >= wanted.egress_severe_percentage) return refused(RC.invalidInput);
    const control = wanted.qos_telemetry_control;
    device.qos = {
      enables:
        Number(control.egress_port_congestion_enable) + 2 * Number(control.temporary_throughput_reduction_enable),
      moderate: wanted.egress_moderate_percentage,
      severe: wanted.egress_severe_percentage,
      sampleInterval: wanted.backpressure_sample_interval,
      requestBasis: wanted.reqcmpbasis,
      completionInterval: wanted.completion_collection_interval,
    };
    return done(qosValue(device));
  }),

  command('get-qos-status', () => done({ backpressure_average_percentage: 0 })),

  command('get-qos-allocated-bw', ({ target }, { number_of_lds, start_ld_id }) => {
    const lds = listed(deviceOf(target.device), start_ld_id, number_of_lds);
    if (lds === undefined) return refused(RC.invalidInput);
    return done({ start_ld_id, qos_allocation_fractions: lds.map((ld) => ld.qosFraction) });
  }),

  // The fractions of all LDs are shares of one device: together at most the whole.
  command('set-qos-allocated-bw', ({ target }, { start_ld_id, qos_allocation_fractions }) => {
    const device = deviceOf(target.device);
    const lds = window(device, start_ld_id, qos_allocation_fractions.length);
    if (lds === undefined) return refused(RC.invalidInput);
    const next = device.lds.map((ld) => numeric(qos_allocation_fractions[ld.id - start_ld_id]) ?? ld.qosFraction);
    if (next.reduce((sum, share) => sum + share, 0) > 256) return refused(RC.invalidInput);
    for (const ld of lds) ld.qosFraction = next[ld.id] ?? 0;
    return done({ start_ld_id, qos_allocation_fractions: lds.map((ld) => ld.qosFraction) });
  }),

  command('get-qos-bw-limit', ({ target }, { number_of_lds, start_ld_id }) => {
    const lds = listed(deviceOf(target.device), start_ld_id, number_of_lds);
    if (lds === undefined) return refused(RC.invalidInput);
    return done({ start_ld_id, qos_limit_fractions: lds.map((ld) => ld.qosLimit) });
  }),

  command('set-qos-bw-limit', ({ target }, { start_ld_id, qos_limit_fractions }) => {
    const lds = window(deviceOf(target.device), start_ld_id, qos_limit_fractions.length);
    if (lds === undefined) return refused(RC.invalidInput);
    lds.forEach((ld, i) => {
      ld.qosLimit = numeric(qos_limit_fractions[i]) ?? 0;
    });
    return done({ start_ld_id, qos_limit_fractions: lds.map((ld) => ld.qosLimit) });
  }),
];

function numeric(value: number | undefined): number | undefined {
  return value;
}

function deviceOf(device: DeviceState | undefined): DeviceState {
  if (device === undefined) throw new Error('a device command reached the switch');
  return device;
}

/** LDs of a range, as far as they exist: a reader learns from the counter how many there are. */
function listed(device: DeviceState, start: number, count: number): DeviceState['lds'] | undefined {
  return count === 0 || start >= device.lds.length ? undefined : device.lds.slice(start, start + count);
}

/** LDs of a range that lies on the device as a whole: a writer names only what is there. */
function window(device: DeviceState, start: number, count: number): DeviceState['lds'] | undefined {
  return count === 0 || start + count > device.lds.length ? undefined : device.lds.slice(start, start + count);
}

function allocations(device: DeviceState, start: number, limit: number) {
  return device.lds.slice(start, start + limit).map((ld) => ({
    range_1_allocation_multiplier: ld.range1,
    range_2_allocation_multiplier: ld.range2,
  }));
}

function qosValue(device: DeviceState) {
  const { qos } = device;
  return {
    qos_telemetry_control: {
      egress_port_congestion_enable: (qos.enables & 1) !== 0,
      temporary_throughput_reduction_enable: (qos.enables & 2) !== 0,
    },
    egress_moderate_percentage: qos.moderate,
    egress_severe_percentage: qos.severe,
    backpressure_sample_interval: qos.sampleInterval,
    reqcmpbasis: qos.requestBasis,
    completion_collection_interval: qos.completionInterval,
  };
}
