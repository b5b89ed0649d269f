import { join } from 'node:path';
import type { Logger } from 'pino';
import { hostBootId } from '../taint/index.ts';
import {
  defaultPossession,
  type FailedAttemptOptions,
  type PossessionOptions,
  ProofFile,
  proofWindowMs,
  RevocationList,
} from './auth/index.ts';
import type { BrokerConfig } from './config/index.ts';
import type { Journal } from './journal/index.ts';
import { RefusedTokens } from './pipeline/refused-tokens.ts';

/** What is remembered of tokens and proofs between runs, and how failures are counted, as the configuration says. */
export function authenticationOptions({ authentication, stateDirectory }: BrokerConfig): {
  readonly possession: PossessionOptions;
  readonly failures: FailedAttemptOptions;
} {
  const possession: PossessionOptions = { ...defaultPossession, ...authentication.dpop };
  const file = new ProofFile({
    directory: join(stateDirectory, 'dpop-proofs'),
    windowMs: proofWindowMs(possession),
    bootId: hostBootId(),
  });
  return { possession: { ...possession, file }, failures: authentication.failures };
}

/** @throws RevocationsDamaged */
export function openRevocations({ stateDirectory }: BrokerConfig): Promise<RevocationList> {
  return RevocationList.open({ path: join(stateDirectory, 'revocations.json'), nowMs: Date.now });
}

/** Refused tokens beyond those that are recorded one by one, in one record each ten seconds. */
export function countRefusedTokens(journal: Journal, log: Logger): RefusedTokens {
  return new RefusedTokens(Date.now, async ({ fromMs, toMs, ...counted }) => {
    const details = { ...counted, from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString() };
    await journal
      .append('authentication', { result: 'refused', reason: 'counted', details }, { durable: false })
      .catch((error: unknown) => {
        log.error({ err: error }, 'a count of refused tokens could not be recorded');
        throw error;
      });
  });
}
