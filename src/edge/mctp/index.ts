export { type Binding, coreRelay, relayByCertificate } from './core-relay.ts';
export { createMctpListener, type MctpListener, type MctpListenerOptions } from './listener.ts';
export { createMctpMetrics, type MctpCounts, type MctpMetrics } from './metrics.ts';
export { type MctpListenerSettings, type OpenMctpListener, openMctpListener } from './open-listener.ts';
export { defaultMctpLimits, type MctpLimits } from './options.ts';
export type { Asking, Relay } from './relay.ts';
export { expiryOf, FileToken, isToken, type TokenSource } from './token-source.ts';
export { endpointUuid } from './uuid.ts';
