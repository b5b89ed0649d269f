import { err, ok, RC, type Result } from '../../cci/index.ts';
import type { Principal } from '../../policy/index.ts';
import type { AuthRefusal } from '../auth/index.ts';
import type { Credential } from '../core-api.ts';
import type { Refusal, Request, Services } from './context.ts';

/** Refused tokens that are journaled one by one in each second; the rest are counted, so that a flood fills no disk. */
const RECORDED_PER_SECOND = 20;

/** Stage 1: token to principal. The refusal's sentence is the same for everything that could be an oracle. */
export async function authenticate(
  services: Services,
  credential: Credential,
  request: Request,
): Promise<Result<Principal, Refusal>> {
  const result = await services.authenticator.authenticate(credential.token);
  if (result.ok) return ok(result.value);
  await record(services, request, result.error);
  return err({ code: 'EAUTH', detail: result.error.sentence, returnCode: RC.invalidInput });
}

interface Flood {
  second: number;
  recorded: number;
  skipped: number;
}
const floods = new WeakMap<Services, Flood>();

async function record(services: Services, request: Request, refusal: AuthRefusal): Promise<void> {
  const flood = floods.get(services) ?? { second: 0, recorded: 0, skipped: 0 };
  floods.set(services, flood);
  const second = Math.floor(services.nowMs() / 1000);
  if (second !== flood.second) Object.assign(flood, { second, recorded: 0 });
  if (flood.recorded >= RECORDED_PER_SECOND) {
    flood.skipped++;
    return;
  }
  flood.recorded++;
  const { skipped } = flood;
  flood.skipped = 0;
  const body = {
    requestId: request.id,
    source: request.source,
    result: 'refused' as const,
    reason: refusal.cause,
    details: { detail: refusal.detail, ...(skipped === 0 ? {} : { unrecordedBefore: skipped }) },
  };
  // The promise is kept by the journal: at once, or with strict durability when the record is on disk.
  await services.journal.append('authentication', body, { durable: false }).catch((error: unknown) => {
    services.log.error({ requestId: request.id, err: error }, 'a refused token could not be recorded');
  });
}
