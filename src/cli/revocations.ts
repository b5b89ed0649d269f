import type { Revocation, RevocationWish } from '../client/index.ts';
import { type CommonFlags, connect } from './connection.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import type { Io } from './io.ts';
import { parseDuration } from './numbers.ts';
import { paint } from './paint.ts';
import { safeJson } from './safe-text.ts';
import { table } from './table.ts';
import { UsageError } from './usage-error.ts';
import { instant } from './views.ts';

export interface RevokeFlags extends CommonFlags {
  readonly id?: string;
  readonly subject?: string;
  readonly tenant?: string;
  readonly key?: string;
  readonly issuer?: string;
  readonly lift?: string;
  readonly reason?: string;
  readonly for?: string;
}

/** `cci token revoke`: in force when it returns. */
export async function revoke(io: Io, flags: RevokeFlags): Promise<ExitCode> {
  const wish = wishOf(flags);
  const { client, json } = await connect(io, flags);
  print(io, await client.revoke(wish), json);
  return EXIT.done;
}

/** `cci token revocations` */
export async function revocations(io: Io, flags: CommonFlags): Promise<ExitCode> {
  const { client, json } = await connect(io, flags);
  print(io, await client.revocations(), json);
  return EXIT.done;
}

function wishOf(flags: RevokeFlags): RevocationWish {
  const { id, subject, tenant, key, issuer, lift, reason } = flags;
  if (reason === undefined || reason === '')
    throw new UsageError('say why: the journal keeps it', 'give --reason "..."');
  const named = [
    ['token', id],
    ['subject', subject],
    ['tenant', tenant],
    ['key', key],
  ] as const;
  const given = named.flatMap(([kind, name]) => (name === undefined ? [] : [{ kind, name }]));
  const [one] = given;
  if (given.length + (lift === undefined ? 0 : 1) !== 1) {
    throw new UsageError('one thing is revoked at a time', 'give one of --id, --subject, --tenant, --key and --lift');
  }
  if (lift !== undefined) return { lift, reason };
  if (one === undefined) throw new UsageError('nothing is named', 'give one of --id, --subject, --tenant and --key');
  return {
    ...one,
    ...(issuer === undefined ? {} : { issuer }),
    reason,
    ...(flags.for === undefined ? {} : { expiresAtMs: Date.now() + parseDuration(flags.for) }),
  };
}

function print(io: Io, all: readonly Revocation[], json: boolean): void {
  if (json) {
    io.out(`${safeJson(all)}\n`);
    return;
  }
  if (all.length === 0) {
    io.err('nothing is revoked\n');
    return;
  }
  io.out(
    table(
      [
        { title: 'ID', cell: (entry) => entry.id },
        { title: 'KIND', cell: (entry) => entry.kind },
        { title: 'NAME', cell: (entry) => entry.name },
        { title: 'SINCE', cell: (entry) => instant(entry.atMs) },
        { title: 'UNTIL', cell: (entry) => (entry.expiresAtMs === undefined ? '-' : instant(entry.expiresAtMs)) },
        { title: 'BY', cell: (entry) => entry.by },
        { title: 'REASON', cell: (entry) => entry.reason },
      ],
      all,
      paint(io),
    ),
  );
}
