import { Counter, Gauge, Histogram, Registry } from 'prom-client';

/** Counters of the core, Prometheus text. Labels come from fixed sets, never from what a client sent. */
export class BrokerMetrics {
  readonly registry = new Registry();
  /** Looked at when somebody asks. */
  sinks: readonly { readonly name: string; readonly isUp: boolean; readonly waitingBytes: number }[] = [];
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
  readonly refusedTokens = new Counter({
    name: 'cci_refused_tokens_total',
    help: 'Tokens and proofs that were not accepted, by cause',
    labelNames: ['cause'] as const,
    registers: [this.registry],
  });
  readonly unaudited = new Counter({
    name: 'cci_unaudited_commands_total',
    help: 'Raw commands that passed the gate',
    labelNames: ['switch'] as const,
    registers: [this.registry],
  });
  readonly limits = new Counter({
    name: 'cci_limit_refusals_total',
    help: 'Refused requests by the limit of quota or queue that they met',
    labelNames: ['limit'] as const,
    registers: [this.registry],
  });
  readonly queueWait = new Histogram({
    name: 'cci_queue_wait_seconds',
    help: 'Time until the turn of commands that had to wait',
    labelNames: ['lane'] as const,
    buckets: [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10],
    registers: [this.registry],
  });
  readonly running = new Gauge({
    name: 'cci_operations_running',
    help: 'Background operations that run',
    labelNames: ['switch'] as const,
    registers: [this.registry],
  });
  readonly overdue = new Gauge({
    name: 'cci_operations_overdue',
    help: 'Background operations that wait for their host longer than is allowed for',
    labelNames: ['switch'] as const,
    registers: [this.registry],
  });
  readonly ofTenants = new TenantMetrics();
  readonly shadowDifferences = new Counter({
    name: 'cci_shadow_differences_total',
    help: 'Recorded decisions that the candidate policy would have taken otherwise',
    labelNames: ['difference'] as const,
    registers: [this.registry],
  });
  readonly consoles = new Gauge({
    name: 'cci_console_sessions',
    help: 'Console sessions that are open',
    labelNames: ['switch'] as const,
    registers: [this.registry],
  });
  readonly consoleEnds = new Counter({
    name: 'cci_console_ends_total',
    help: 'Console sessions by why they ended',
    labelNames: ['switch', 'why'] as const,
    registers: [this.registry],
  });
  readonly durations = new Histogram({
    name: 'cci_command_seconds',
    help: 'Time from request to reply',
    labelNames: ['class'] as const,
    buckets: [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1, 5],
    registers: [this.registry],
  });
  readonly crosschecked = new Counter({
    name: 'cci_policy_crosschecks_total',
    help: 'Decisions that the unindexed reference took as well',
    registers: [this.registry],
  });
  readonly crosscheckDifferences = new Counter({
    name: 'cci_policy_crosscheck_differences_total',
    help: 'Decisions in which the policy engine and its reference did not agree: an alarm',
    registers: [this.registry],
  });
  readonly queue = new Gauge({
    name: 'cci_queue_length',
    help: 'Commands that wait for the switch',
    labelNames: ['switch'] as const,
    registers: [this.registry],
  });
  readonly events = new Counter({
    name: 'cci_events_total',
    help: 'Event records that were drained from the switch, and those that it lost before',
    labelNames: ['switch', 'log', 'end'] as const,
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
  readonly journalAhead = new Gauge({
    name: 'cci_journal_ahead',
    help: '0 while the journal goes on without ahead.journal, and durable writes take longer',
    registers: [this.registry],
  });
  readonly sinkLost = new Counter({
    name: 'cci_journal_sink_lost_total',
    help: 'Records of the journal that a sink did not get',
    labelNames: ['sink'] as const,
    registers: [this.registry],
  });
  readonly sinkUp = new Gauge({
    name: 'cci_journal_sink_up',
    help: '1 while the sink takes records as they come',
    labelNames: ['sink'] as const,
    registers: [this.registry],
    collect: () => {
      for (const { name, isUp } of this.sinks) this.sinkUp.set({ sink: name }, isUp ? 1 : 0);
    },
  });
  readonly sinkWaiting = new Gauge({
    name: 'cci_journal_sink_waiting_bytes',
    help: 'Bytes of records that wait for the sink',
    labelNames: ['sink'] as const,
    registers: [this.registry],
    collect: () => {
      for (const { name, waitingBytes } of this.sinks) this.sinkWaiting.set({ sink: name }, waitingBytes);
    },
  });
  readonly edgeUp = new Gauge({
    name: 'cci_edge_up',
    help: '1 while a process of its own holds the listening sockets',
    registers: [this.registry],
  });
  readonly edgeEnds = new Counter({
    name: 'cci_edge_ends_total',
    help: 'Edge processes that have ended, by why',
    labelNames: ['reason'] as const,
    registers: [this.registry],
  });
  readonly edgeViolations = new Counter({
    name: 'cci_edge_violations_total',
    help: 'Edge processes that were ended for what they sent to the core: an alarm',
    labelNames: ['violation'] as const,
    registers: [this.registry],
  });
  readonly witnessErrors = new Counter({
    name: 'cci_journal_witness_errors_total',
    help: 'Checkpoints that could not be written to a witness',
    registers: [this.registry],
  });

  /** Without what has names in it: which switches, tenants and issuers there are is for operators. */
  async textForEverybody(): Promise<string> {
    const texts: string[] = [];
    for (const metric of this.registry.getMetricsAsArray()) {
      const labels: unknown = 'labelNames' in metric ? metric.labelNames : [];
      const isNamed = !Array.isArray(labels) || labels.some((label) => NAMES.has(label));
      if (!isNamed) texts.push(await this.registry.getSingleMetricAsString(metric.name));
    }
    return texts.length === 0 ? '' : `${texts.join('\n\n')}\n`;
  }
}

/** Labels whose values are names of the configuration. */
const NAMES: ReadonlySet<unknown> = new Set(['switch', 'tenant', 'issuer']);

/** Counters with the names of tenants, as many as the fabric file has. For operators: they tell who does what. */
export class TenantMetrics {
  readonly registry = new Registry();
  readonly commands = new Counter({
    name: 'cci_tenant_commands_total',
    help: 'Commands of each tenant by class and how they ended',
    labelNames: ['tenant', 'class', 'end'] as const,
    registers: [this.registry],
  });
  readonly refusals = new Counter({
    name: 'cci_tenant_limit_refusals_total',
    help: 'Refused requests of each tenant by the limit of quota or queue that they met',
    labelNames: ['tenant', 'limit'] as const,
    registers: [this.registry],
  });
  readonly underWay = new Gauge({
    name: 'cci_tenant_requests',
    help: 'Requests of each tenant that are under way',
    labelNames: ['tenant'] as const,
    registers: [this.registry],
  });
  readonly waiting = new Gauge({
    name: 'cci_tenant_queue_length',
    help: 'Commands of each tenant that wait for the switch',
    labelNames: ['switch', 'tenant'] as const,
    registers: [this.registry],
  });
}
