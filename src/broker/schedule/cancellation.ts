/** A caller's wish that his command be sent no more. It comes too late once the command has left. */
export class Cancellation {
  #cancelled = false;
  #withdraw: (() => void) | undefined;

  get cancelled(): boolean {
    return this.#cancelled;
  }

  cancel(): void {
    if (this.#cancelled) return;
    this.#cancelled = true;
    const withdraw = this.#withdraw;
    this.#withdraw = undefined;
    withdraw?.();
  }

  /** Whoever makes the command wait says how it is withdrawn; nobody once it has gone on. */
  onCancel(withdraw: (() => void) | undefined): void {
    this.#withdraw = withdraw;
  }
}
