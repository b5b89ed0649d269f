import { Counter, Gauge, Histogram, Registry } from 'prom-client';

/** Counters of the core, Prometheus text. Labels come from fixed sets, never from what a client sent. */
export class BrokerMetrics {
  readonly registry = new Registry();
  readonly commands = new Counter({
    name: 'cci_commands_total',
    help: 'Commands by class and how they ended',
    labelNames: ['switch', 'class', 'end'] as const,
    registers: [this.registry],
  });
  readonly refusals = new Counter({
    name: 'cci_refusals_total',
    help: 'Refused requests by code',
    labelNames: ['code'] as const,
    registers: [this.registry],
  });
  readonly unaudited = new Counter({
    name: 'cci_unaudited_commands_total',
    help: 'Raw commands that passed the gate',
    labelNames: ['switch'] as const,
    registers: [this.registry],
  });
  readonly durations = new Histogram({
    name: 'cci_command_seconds',
    help: 'Time from request to reply',
    labelNames: ['class'] as const,
    buckets: [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1, 5],
    registers: [this.registry],
  });
  readonly queue = new Gauge({
    name: 'cci_queue_length',
    help: 'Commands that wait for the switch',
    labelNames: ['switch'] as const,
    registers: [this.registry],
  });
  readonly taint = new Gauge({
    name: 'cci_taint',
    help: 'Taint mask of the switch',
    labelNames: ['switch'] as const,
    registers: [this.registry],
  });
  readonly deviceUp = new Gauge({
    name: 'cci_device_up',
    help: '1 while the device takes commands',
    labelNames: ['switch'] as const,
    registers: [this.registry],
  });
  readonly journalUp = new Gauge({
    name: 'cci_journal_up',
    help: '1 while the journal can be written',
    registers: [this.registry],
  });
}
