import type { WhoAmI } from '../client/index.ts';
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
          ...limitsOf(me),
        ],
        paint(io),
      ),
    );
  }
  return EXIT.done;
}

/** Limits of the caller's tenant, those that there are, with what is left of each. */
function limitsOf({ limits }: WhoAmI): readonly (readonly [string, string])[] {
  if (limits === undefined) return [];
  const { weight, concurrent, commandsPerSecond, bytesPerSecond, background, classes } = limits;
  const rows: (readonly [string, string])[] = [
    ['weight', `${weight}`],
    ['under way', usage(concurrent)],
  ];
  if (commandsPerSecond !== undefined) rows.push(['commands', rate(commandsPerSecond)]);
  if (bytesPerSecond !== undefined)
    rows.push(['bytes', `${bytesPerSecond.limit} a second, ${bytesPerSecond.left} left`]);
  if (background !== undefined) rows.push(['background', usage(background)]);
  for (const [name, limit] of Object.entries(classes ?? {})) {
    const parts = [
      ...(limit.commandsPerSecond === undefined ? [] : [rate(limit.commandsPerSecond)]),
      ...(limit.concurrent === undefined ? [] : [`${usage(limit.concurrent)} under way`]),
    ];
    if (parts.length > 0) rows.push([name, parts.join('; ')]);
  }
  return rows;
}

function usage({ limit, used }: { readonly limit: number; readonly used: number }): string {
  return `${used} of ${limit}`;
}

function rate({ limit, burst, left }: { readonly limit: number; readonly burst: number; readonly left: number }) {
  return `${limit} a second, ${left} of ${burst} left`;
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
