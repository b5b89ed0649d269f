import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { issueDevelopmentToken } from '../../src/broker/auth/index.ts';
import { type RunningBroker, type StartOverrides, startBroker } from '../../src/broker/index.ts';
import { tokenScopes } from '../../src/policy/index.ts';

/** A broker core with a state directory of its own, and tokens of its development issuer. */
export interface Broker extends RunningBroker {
  readonly stateDirectory: string;
  token(who: {
    readonly tenant: string;
    readonly subject: string;
    readonly groups?: readonly string[];
    /** All of them unless said otherwise. */
    readonly scopes?: readonly string[];
    readonly ttlMs?: number;
  }): Promise<string>;
}

/** @param stateDirectory kept after `close` when given */
export async function startTestBroker(
  config: string,
  overrides: StartOverrides = {},
  stateDirectory?: string,
): Promise<Broker> {
  const state = stateDirectory ?? (await mkdtemp(join(tmpdir(), 'cci-broker-')));
  const running = await startBroker(config, { logLevel: 'silent', ...overrides, stateDirectory: state });
  return {
    ...running,
    stateDirectory: state,
    token: async ({ tenant, subject, groups, scopes, ttlMs }) => {
      const { token } = await issueDevelopmentToken({
        directory: join(state, 'issuer'),
        tenant,
        subject,
        scopes: scopes ?? tokenScopes,
        ...(groups === undefined ? {} : { groups }),
        ...(ttlMs === undefined ? {} : { ttlMs }),
      });
      return token;
    },
    close: async () => {
      await running.close();
      if (stateDirectory === undefined) await rm(state, { recursive: true, force: true });
    },
  };
}
