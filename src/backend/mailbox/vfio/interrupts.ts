import type { NativeCalls } from '../../native/index.ts';
import { decodeIrqInfo, encodeIrqInfo, encodeSetIrqs, IRQ_EVENTFD, IRQ_REQUEST, MESSAGE_IRQS, VFIO } from './abi.ts';

/** Interrupts of one device: which it has, and who is called for them. */
export class VfioInterrupts {
  /** Messages of the better kind that the device has: MSI-X, else MSI. */
  readonly messages: number;
  readonly #native: NativeCalls;
  readonly #fd: number;
  readonly #index: number | undefined;
  readonly #stops: (() => void)[] = [];

  constructor(native: NativeCalls, fd: number, irqs: number) {
    this.#native = native;
    this.#fd = fd;
    const kinds = MESSAGE_IRQS.filter((index) => index < irqs).map((index) => ({ index, count: this.#count(index) }));
    const best = kinds.find(({ count }) => count > 0);
    this.#index = best?.index;
    this.messages = best?.count ?? 0;
  }

  /** Has the message counted, and calls back on the event loop for it. @throws an error when the kernel refuses */
  listen(message: number, onInterrupt: () => void): void {
    if (this.#index === undefined) throw new Error('the device has no message interrupts');
    // All up to ours: the kernel gives vectors from the first on, and those between stay silent.
    const counter = this.#watch(onInterrupt);
    const counters = Array.from({ length: message + 1 }, (_, each) => (each === message ? counter : -1));
    this.#native.ioctl(this.#fd, VFIO.deviceSetIrqs, encodeSetIrqs(this.#index, 0, counters));
  }

  /** Calls back when the kernel wants the device back. Kernels that don't say so are let be. */
  onRequest(irqs: number, asked: () => void): void {
    if (IRQ_REQUEST >= irqs || this.#count(IRQ_REQUEST) === 0) return;
    try {
      this.#native.ioctl(this.#fd, VFIO.deviceSetIrqs, encodeSetIrqs(IRQ_REQUEST, 0, [this.#watch(asked)]));
    } catch {
      // Without it the kernel waits until we let go, and says so in its log.
    }
  }

  /** The interrupts themselves end with the device's descriptor. */
  stop(): void {
    for (const stop of this.#stops.splice(0)) stop();
  }

  #watch(onEvent: () => void): number {
    const fd = this.#native.eventCounter();
    const stop = this.#native.watchCounter(fd, onEvent);
    this.#stops.push(() => {
      stop();
      this.#native.close(fd);
    });
    return fd;
  }

  #count(index: number): number {
    const answer = encodeIrqInfo(index);
    try {
      this.#native.ioctl(this.#fd, VFIO.deviceGetIrqInfo, answer);
    } catch {
      return 0;
    }
    const { flags, count } = decodeIrqInfo(answer);
    return (flags & IRQ_EVENTFD) === 0 ? 0 : count;
  }
}
