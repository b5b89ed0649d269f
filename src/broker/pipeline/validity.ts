import type { Principal } from '../../policy/index.ts';
import type { Credential } from '../core-api.ts';
import type { Services } from './context.ts';

/**
 * A token that was good stays so until it expires or something is revoked; only then it is looked at again.
 *
 * @param version of the revocations before the token was looked at: what is revoked while that goes on counts as well
 */
export function validity(
  services: Services,
  credential: Credential,
  principal: Principal,
  version: number,
): () => Promise<boolean> {
  return async () => {
    if (principal.expiresAtMs <= services.nowMs()) return false;
    return services.revocations.version === version || (await services.authenticator.again(credential)).ok;
  };
}
