import { RC } from '../../../cci/index.ts';
import { type Command, command, done, finished, refused } from '../command.ts';

/** Command set 47h: SLD QoS Telemetry. */
export const set47: readonly Command[] = [
  command('get-sld-qos-control', ({ target }) => {
    const qos = target.device?.qos;
    return done({
      qos_telemetry_control: {
        egress_port_congestion_enable: ((qos?.enables ?? 0) & 1) !== 0,
        temporary_throughput_reduction_enable: ((qos?.enables ?? 0) & 2) !== 0,
      },
      egress_moderate_percentage: qos?.moderate ?? 0,
      egress_severe_percentage: qos?.severe ?? 0,
      backpressure_sample_interval: qos?.sampleInterval ?? 0,
    });
  }),

  command('set-sld-qos-control', ({ target }, wanted) => {
    const qos = target.device?.qos;
    if (qos === undefined || wanted.egress_moderate_percentage >= wanted.egress_severe_percentage) {
      return refused(RC.invalidInput);
    }
    const control = wanted.qos_telemetry_control;
    qos.enables =
      Number(control.egress_port_congestion_enable) + 2 * Number(control.temporary_throughput_reduction_enable);
    qos.moderate = wanted.egress_moderate_percentage;
    qos.severe = wanted.egress_severe_percentage;
    qos.sampleInterval = wanted.backpressure_sample_interval;
    return finished();
  }),

  command('get-sld-qos-status', () => done({ backpressure_average_percentage: 0 })),
];
