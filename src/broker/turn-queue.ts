/**
 * Who waits for the device: the tenants in turn, each tenant's commands in the order in which they came. However many
 * one tenant has waiting, another's next command waits for one of them at most.
 */
export class TurnQueue {
  /** A tenant that was served goes to the end of the map. */
  readonly #waiting = new Map<string, (() => void)[]>();
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(tenant: string, start: () => void): void {
    const own = this.#waiting.get(tenant);
    if (own === undefined) this.#waiting.set(tenant, [start]);
    else own.push(start);
    this.#length++;
  }

  /** Takes whose turn is next out of the queue. */
  next(): (() => void) | undefined {
    const [first] = this.#waiting;
    if (first === undefined) return undefined;
    const [tenant, own] = first;
    const start = own.shift();
    this.#waiting.delete(tenant);
    if (own.length > 0) this.#waiting.set(tenant, own);
    this.#length--;
    return start;
  }
}
