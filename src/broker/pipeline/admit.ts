import { err, ok, RC, type Result } from '../../cci/index.ts';
import type { CommandRequest } from '../core-api.ts';
import type { Refusal } from './context.ts';

/** Largest payload that is looked at: a 21-bit length is the protocol's own bound, no CCI of ours takes more than 1 MiB. */
export const PAYLOAD_MAX = 1 << 20;

/** Commands of each tenant that are under way now. */
export class Admission {
  private readonly perTenant: number;
  private readonly underWay = new Map<string, number>();

  constructor(perTenant: number) {
    this.perTenant = perTenant;
  }

  /** Stage 2: size and concurrency. The value gives the place back; call it exactly once. */
  admit(tenant: string, request: CommandRequest): Result<() => void, Refusal> {
    const size = request.kind === 'named' ? 0 : request.kind === 'raw' ? request.payload.length : request.bytes.length;
    if (size > PAYLOAD_MAX) {
      return err({
        code: 'EINVAL',
        detail: `a payload has at most ${PAYLOAD_MAX} bytes`,
        returnCode: RC.invalidPayloadLength,
      });
    }
    const count = this.underWay.get(tenant) ?? 0;
    if (count >= this.perTenant) {
      return err({
        code: 'EAGAIN',
        detail: `at most ${this.perTenant} commands of one tenant may be under way`,
        returnCode: RC.retryRequired,
        retryAfterMs: 100,
      });
    }
    this.underWay.set(tenant, count + 1);
    return ok(() => {
      const left = (this.underWay.get(tenant) ?? 1) - 1;
      if (left > 0) this.underWay.set(tenant, left);
      else this.underWay.delete(tenant);
    });
  }
}
