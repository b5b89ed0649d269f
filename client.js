// The client library, which is what this package exports: built JavaScript where there is some (a package under
// `node_modules` has to have it: Node strips types nowhere below that), else the sources of the checkout.
import { existsSync } from 'node:fs';

const built = new URL('dist/client/index.js', import.meta.url);
const library = await import(existsSync(built) ? built.href : new URL('src/client/index.ts', import.meta.url).href);

export const {
  BrokerError,
  CciError,
  createClient,
  DeviceError,
  dpopThumbprint,
  makeDpopKey,
  ParameterError,
  ProtocolError,
  ReturnCodeError,
  UnreachableError,
} = library;
