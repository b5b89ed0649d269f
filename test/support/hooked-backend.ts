import type { Backend, CciReply, CciRequest } from '../../src/backend/index.ts';

/** Forwards to the emulator unless a test says otherwise. */
export class HookedBackend implements Backend {
  hook: ((request: CciRequest, pass: () => Promise<CciReply>) => Promise<CciReply>) | undefined;
  readonly touchesHostHardware = false;
  private readonly inner: Backend;

  constructor(inner: Backend) {
    this.inner = inner;
  }
  get identity() {
    return this.inner.identity;
  }
  get maxPayload() {
    return this.inner.maxPayload;
  }
  get maxInFlight() {
    return this.inner.maxInFlight;
  }
  open() {
    return this.inner.open();
  }
  close() {
    return this.inner.close();
  }
  execute(request: CciRequest, deadlineMs: number): Promise<CciReply> {
    const pass = () => this.inner.execute(request, deadlineMs);
    return this.hook === undefined ? pass() : this.hook(request, pass);
  }
}
