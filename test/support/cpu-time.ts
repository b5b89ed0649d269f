/** Milliseconds of processor time that this process has used: a limit on it holds on a busy machine too. */
export function cpuTimeMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
