interface Timing {
  readonly p50Us: number;
  readonly p99Us: number;
}

/**
 * Shows what inside/latency.ts measured. Figures of an emulated machine: the ratios say something, the times little.
 */
export function printLatency(stdout: string): void {
  const { transport, access, command, driver, worker } = JSON.parse(stdout) as {
    readonly transport: string;
    readonly access: Timing;
    readonly command: Timing;
    readonly driver: Timing;
    readonly worker: Timing;
  };
  const times = (timing: Timing) => `p50 ${timing.p50Us} us, p99 ${timing.p99Us} us`;
  const ratio = (timing: Timing) => (timing.p50Us / command.p50Us).toFixed(1);
  console.log(
    [
      `guest latency of Identify through ${transport}, emulated (TCG):`,
      `  one register read            ${times(access)}`,
      `  bare registers, whole command ${times(command)}`,
      `  polled driver                ${times(driver)}, ratio ${ratio(driver)}`,
      `  driver in its own process    ${times(worker)}, ratio ${ratio(worker)}`,
    ].join('\n'),
  );
}
