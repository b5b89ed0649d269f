import { type Static, Type } from '../../schema/index.ts';
import type { FailedAttemptOptions } from '../auth/index.ts';

const closed = { additionalProperties: false } as const;
const whole = (minimum: number, maximum: number, fallback: number, description: string) =>
  Type.Optional(Type.Integer({ minimum, maximum, default: fallback, description }));

/** What holds for the tokens of all issuers. */
export const AuthenticationSchema = Type.Object(
  {
    dpop: Type.Optional(
      Type.Object(
        {
          nonce: Type.Optional(
            Type.Enum(['required', 'off'], {
              default: 'required',
              description: 'required: a proof holds a nonce of the broker, so that none can be made ahead of time',
            }),
          ),
          max_age_ms: whole(1000, 600_000, 60_000, 'Oldest proof by its `iat`'),
          clock_tolerance_ms: whole(0, 60_000, 5000, 'For `iat` of proofs'),
          remembered: whole(
            100,
            10_000_000,
            100_000,
            'Proofs that are remembered; of one tenant as many as there is room left',
          ),
          sessions: whole(16, 1_000_000, 4096, 'Streams that began with a proof; of one token a sixteenth of it'),
        },
        { ...closed, description: 'Proofs of possession (RFC 9449)' },
      ),
    ),
    failures: Type.Optional(
      Type.Object(
        {
          per_second: Type.Optional(
            Type.Number({
              minimum: 0.01,
              maximum: 10_000,
              default: 5,
              description: 'Failures of one address that are answered as such; beyond them it is told to wait',
            }),
          ),
          burst: whole(1, 100_000, 50, 'Failures at once after a quiet time'),
          sources: whole(16, 1_000_000, 10_000, 'Addresses (IPv6: networks of /64) that are told apart'),
        },
        { ...closed, description: 'Failed authentication by source' },
      ),
    ),
  },
  closed,
);
type AuthenticationFile = Static<typeof AuthenticationSchema>;

export interface AuthenticationSettings {
  readonly dpop: {
    readonly nonce: 'required' | 'off';
    readonly maxAgeMs: number;
    readonly clockToleranceMs: number;
    readonly proofs: number;
    readonly sessions: number;
  };
  readonly failures: FailedAttemptOptions;
}

/** With every default written out. */
export function authenticationSettings({ dpop = {}, failures = {} }: AuthenticationFile = {}): AuthenticationSettings {
  return {
    dpop: {
      nonce: dpop.nonce ?? 'required',
      maxAgeMs: dpop.max_age_ms ?? 60_000,
      clockToleranceMs: dpop.clock_tolerance_ms ?? 5000,
      proofs: dpop.remembered ?? 100_000,
      sessions: dpop.sessions ?? 4096,
    },
    failures: {
      perSecond: failures.per_second ?? 5,
      burst: failures.burst ?? 50,
      sources: failures.sources ?? 10_000,
    },
  };
}
