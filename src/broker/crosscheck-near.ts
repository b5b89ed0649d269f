import type { ReferenceThread } from './crosscheck.ts';
import type { FromReference, ToReference } from './crosscheck-messages.ts';
import { CrosscheckReference } from './crosscheck-reference.ts';

/**
 * The reference on the thread of the broker itself, for policies of so few rows that looking at all of them takes less than
 * a millisecond or two: a thread of its own would hold casbin and the sources a second time, some 45 MiB.
 */
export class NearReference implements ReferenceThread {
  private readonly reference = new CrosscheckReference();
  private readonly heard: ((message: FromReference) => void)[] = [];
  private readonly failed: ((error: unknown) => void)[] = [];
  private working: Promise<unknown> = Promise.resolve();
  private ended = false;

  postMessage(message: ToReference): void {
    this.working = this.working.then(() => this.take(message));
  }

  on(event: 'message' | 'error', listener: ((message: FromReference) => void) & ((error: unknown) => void)): void {
    if (event === 'message') this.heard.push(listener);
    else this.failed.push(listener);
  }

  unref(): void {
    // Keeps nothing alive.
  }

  async terminate(): Promise<void> {
    this.ended = true;
    await this.working;
  }

  private async take(message: ToReference): Promise<void> {
    // Whoever waits for the decision that was sampled goes first.
    await new Promise((done) => setImmediate(done));
    if (this.ended) return;
    try {
      const answer = await this.reference.take(message);
      if (answer !== undefined) for (const tell of this.heard) tell(answer);
    } catch (error) {
      for (const tell of this.failed) tell(error);
    }
  }
}
