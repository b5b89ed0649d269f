import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { issueDevelopmentToken } from '../../src/broker/auth/index.ts';
import type { CoreApi, Credential } from '../../src/broker/core-api.ts';
import { Prover } from '../../src/client/dpop.ts';
import { type DpopKey, dpopThumbprint, makeDpopKey } from '../../src/client/index.ts';
import { tokenScopes } from '../../src/policy/index.ts';
import { type Broker, startTestBroker } from './running-broker.ts';

/** A broker of the example files whose issuer wants tokens to be bound, and a holder of one. */
export interface BoundBroker {
  readonly core: CoreApi;
  readonly broker: Broker;
  readonly stateDirectory: string;
  readonly key: DpopKey;
  /** A token of tenant acme that is bound to the key, unless said otherwise. */
  token(wish?: { readonly tenant?: string; readonly subject?: string; readonly bound?: boolean }): Promise<string>;
  /** Shows a token with a proof of the key. */
  shown(token: string, more?: { readonly command?: string; readonly nonce?: string }): Credential;
  /** Ends the broker and starts another one over the same state. @param between while none runs */
  restart(between?: () => unknown): Promise<void>;
  close(): Promise<void>;
}

const repository = resolve(import.meta.dirname, '../..');
export const BROKER_URL = 'http://127.0.0.1:8420/v1/anything';

/** @param config lines of `broker.yaml` besides those that every broker needs */
export async function startBoundBroker(
  require: 'none' | 'dpop' | 'mtls' | 'dpop-command',
  config: readonly string[] = ['authentication: { dpop: { nonce: off } }'],
): Promise<BoundBroker> {
  const directory = await mkdtemp(join(tmpdir(), 'cci-bound-'));
  const stateDirectory = join(directory, 'state');
  const file = join(directory, 'broker.yaml');
  await writeFile(
    file,
    [
      'profile: host',
      'http: { host: 127.0.0.1, port: 0 }',
      'state_directory: state',
      `fabric: ${repository}/config/fabric.yaml`,
      `policy: { directory: ${repository}/policies, reload: manual, crosscheck: off }`,
      `issuers: [{ kind: development, tenants: ['*', fabric], require: ${require} }]`,
      'log: { level: silent }',
      'topology: { reread_ms: 0 }',
      'events: { poll_ms: 0 }',
      `switches: { sw0: { backend: { kind: emulator, topology: ${repository}/config/topologies/small.yaml } } }`,
      ...config,
    ].join('\n'),
  );
  let broker = await startTestBroker(file, {}, stateDirectory);
  const key = makeDpopKey();
  const prover = new Prover(key);
  return {
    get core() {
      return broker.core;
    },
    get broker() {
      return broker;
    },
    stateDirectory,
    key,
    async token({ tenant = 'acme', subject = 'alice', bound = true } = {}) {
      const issued = await issueDevelopmentToken({
        ...{ directory: join(stateDirectory, 'issuer'), tenant, subject, scopes: tokenScopes, groups: ['operators'] },
        ...(bound ? { boundTo: { key: dpopThumbprint(key) } } : {}),
      });
      return issued.token;
    },
    shown(token, { command, nonce } = {}) {
      if (nonce !== undefined) prover.takeNonce(new URL(BROKER_URL).origin, nonce);
      const jwt = prover.prove(token, { method: 'POST', url: new URL(BROKER_URL), command });
      return { token, source: '192.0.2.1:5', scheme: 'dpop', proof: { jwt, method: 'POST', url: BROKER_URL } };
    },
    async restart(between) {
      await broker.close();
      await between?.();
      broker = await startTestBroker(file, {}, stateDirectory);
    },
    async close() {
      await broker.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
