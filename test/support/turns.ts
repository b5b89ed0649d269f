/** So many turns of the event loop: what reached this process before them, it has heard of behind them. */
export async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((done) => setImmediate(done));
}
