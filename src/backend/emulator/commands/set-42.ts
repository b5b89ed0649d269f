import { RC } from '../../../cci/index.ts';
import { type Command, command, done, finished, refused } from '../command.ts';
import { mediaOf } from '../media.ts';

const TEMPERATURE = 35;
const LIFE_CRITICAL = 95;
const TOO_HOT = 95;
const TOO_COLD = -20;
const ALERTS = [
  'life_used',
  'device_over_temperature',
  'device_under_temperature',
  'corrected_volatile_memory_error',
  'corrected_persistent_memory_error',
] as const;
type Alerts = { readonly [K in (typeof ALERTS)[number]]: boolean };

/** Command set 42h: Health Info and Alerts. */
export const set42: readonly Command[] = [
  command('get-health-info', ({ machine, target }) => {
    const media = mediaOf(machine, target);
    return done({
      health_status: {
        maintenance_needed: media.poison.size > 0,
        performance_degraded: false,
        hardware_replacement_needed: false,
        memory_capacity_degraded: false,
      },
      media_status: target.cci.background?.job.kind === 'sanitize' ? 'not-ready' : 'normal',
      additional_status: {
        life_used: 0,
        device_temperature: 0,
        corrected_volatile_error_count: false,
        corrected_persistent_error_count: false,
      },
      life_used_percent: 3,
      device_temperature: TEMPERATURE,
      dirty_shutdown_count: media.dirtyShutdowns,
      corrected_volatile_error_count: 0,
      corrected_persistent_error_count: 0,
    });
  }),

  command('get-alert-configuration', ({ machine, target }) => {
    const { alerts } = mediaOf(machine, target);
    return done({
      valid_alerts: alertBits(alerts.enabled),
      programmable_alerts: alertBits(0x1f),
      life_used_critical_alert_threshold: LIFE_CRITICAL,
      life_used_programmable_warning_threshold: alerts.lifeUsedWarning,
      over_temperature_critical_threshold: TOO_HOT,
      under_temperature_critical_threshold: TOO_COLD,
      over_temperature_programmable_warning_threshold: alerts.overTemperatureWarning,
      under_temperature_programmable_warning_threshold: alerts.underTemperatureWarning,
      corrected_volatile_error_warning_threshold: alerts.volatileErrorWarning,
      corrected_persistent_error_warning_threshold: alerts.persistentErrorWarning,
    });
  }),

  // A warning threshold beyond its critical one would never warn.
  command('set-alert-configuration', ({ machine, target }, wanted) => {
    const { alerts } = mediaOf(machine, target);
    const valid = wanted.valid_alert_actions;
    const over = wanted.over_temperature_programmable_warning_threshold;
    const under = wanted.under_temperature_programmable_warning_threshold;
    if (valid.life_used && wanted.life_used_programmable_warning_threshold >= LIFE_CRITICAL) {
      return refused(RC.invalidInput);
    }
    if (valid.device_over_temperature && over >= TOO_HOT) return refused(RC.invalidInput);
    if (valid.device_under_temperature && under <= TOO_COLD) return refused(RC.invalidInput);
    if (valid.life_used) alerts.lifeUsedWarning = wanted.life_used_programmable_warning_threshold;
    if (valid.device_over_temperature) alerts.overTemperatureWarning = over;
    if (valid.device_under_temperature) alerts.underTemperatureWarning = under;
    if (valid.corrected_volatile_memory_error) {
      alerts.volatileErrorWarning = wanted.corrected_volatile_error_warning_threshold;
    }
    if (valid.corrected_persistent_memory_error) {
      alerts.persistentErrorWarning = wanted.corrected_persistent_error_warning_threshold;
    }
    ALERTS.forEach((name, i) => {
      if (!valid[name]) return;
      const bit = 1 << i;
      alerts.enabled = wanted.enable_alert_actions[name] ? alerts.enabled | bit : alerts.enabled & ~bit;
    });
    return finished();
  }),

  command('get-shutdown-state', ({ machine, target }) => done({ state: mediaOf(machine, target).dirty })),

  command('set-shutdown-state', ({ machine, target }, { state }) => {
    mediaOf(machine, target).dirty = state;
    return finished();
  }),
];

function alertBits(bits: number): Alerts {
  const bit = (n: number): boolean => ((bits >> n) & 1) === 1;
  return {
    life_used: bit(0),
    device_over_temperature: bit(1),
    device_under_temperature: bit(2),
    corrected_volatile_memory_error: bit(3),
    corrected_persistent_memory_error: bit(4),
  };
}
