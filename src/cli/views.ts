import { type CommonFlags, connect } from './connection.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import type { Io } from './io.ts';
import { paint } from './paint.ts';
import { safeJson } from './safe-text.ts';
import { facts, table } from './table.ts';

/** `cci whoami` */
export async function whoami(io: Io, flags: CommonFlags): Promise<ExitCode> {
  const session = await connect(io, flags);
  const me = await session.client.whoami();
  if (session.json) io.out(`${safeJson(me)}\n`);
  else {
    io.out(
      facts(
        [
          ['principal', me.principal],
          ['tenant', me.tenant],
          ['issuer', me.issuer],
          ['names', me.names.join(', ')],
          ['roles', me.roles.join(', ')],
          ['scopes', me.scopes.join(' ')],
          ['owns', me.owns.join(', ')],
          ['expires', instant(me.expiresAtMs)],
        ],
        paint(io),
      ),
    );
  }
  return EXIT.done;
}

/** `cci switches` */
export async function switches(io: Io, flags: CommonFlags): Promise<ExitCode> {
  const session = await connect(io, flags);
  const seen = await session.client.switches();
  if (session.json) io.out(`${safeJson(seen)}\n`);
  else {
    const colours = paint(io);
    io.out(
      table(
        [
          { title: 'SWITCH', cell: (one) => one.name },
          { title: 'BACKEND', cell: (one) => one.backend },
          {
            title: 'STATE',
            cell: (one) => one.state,
            paint: (one, text) => (one.state === 'serving' ? colours.green(text) : colours.red(text)),
          },
          { title: 'RESOURCES', cell: (one) => one.resources.join(' ') },
        ],
        seen,
        colours,
      ),
    );
  }
  return EXIT.done;
}

/** A time as people of all zones read it. */
export function instant(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? String(ms) : date.toISOString().replace('.000Z', 'Z');
}
