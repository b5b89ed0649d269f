import type { Posture, Taint } from '../client/index.ts';
import { type CommonFlags, connect, type Session } from './connection.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import type { Io } from './io.ts';
import { paint } from './paint.ts';
import { safe, safeJson } from './safe-text.ts';
import { table } from './table.ts';
import { UsageError } from './usage-error.ts';
import { instant } from './views.ts';

const LEVELS = ['none', 'integrity', 'confidentiality'] as const;

/** `cci lockdown raise LEVEL --reason TEXT` */
export async function raiseLockdown(
  io: Io,
  level: string,
  flags: CommonFlags & { readonly reason?: string },
): Promise<ExitCode> {
  const wanted = LEVELS.find((known) => known === level);
  if (wanted === undefined || wanted === 'none') {
    throw new UsageError(`\`${level}\` is not a level to raise to`, 'give integrity or confidentiality');
  }
  const session = await connect(io, flags);
  const posture = await session.client.raiseLockdown(wanted, flags.reason ?? 'raised by hand');
  printPosture(session, posture);
  return EXIT.done;
}

/** `cci show lockdown` */
export async function showLockdown(io: Io, flags: CommonFlags): Promise<ExitCode> {
  const session = await connect(io, flags);
  printPosture(session, await session.client.posture());
  return EXIT.done;
}

function printPosture(session: Session, posture: readonly Posture[]): void {
  if (session.json) {
    session.io.out(`${safeJson(posture)}\n`);
    return;
  }
  session.io.out(
    table(
      [
        { title: 'SWITCH', cell: (one) => one.switch },
        { title: 'LOCKDOWN', cell: (one) => one.lockdown.effective },
        { title: 'KERNEL', cell: (one) => one.lockdown.kernel },
        { title: 'CONFIG', cell: (one) => one.lockdown.config },
        { title: 'RUN TIME', cell: (one) => one.lockdown.runTime },
        { title: 'PROFILE', cell: (one) => one.profile },
        { title: 'RAW', cell: (one) => `${one.rawCommands}${one.rawAllowAll ? ', allow all' : ''}` },
        { title: 'UNDER LOCKDOWN', cell: (one) => one.underLockdown },
        { title: 'TAINT', cell: (one) => `${one.taint.mask} (${one.taint.letters})` },
      ],
      posture,
      paint(session.io),
    ),
  );
}

/** `cci taint`, `cci show taint` */
export async function showTaint(io: Io, flags: CommonFlags): Promise<ExitCode> {
  const { client, json } = await connect(io, flags);
  printTaint(io, await client.taint(), json);
  return EXIT.done;
}

/** `cci taint acknowledge LETTER [--scope PATH] --reason TEXT` */
export async function acknowledgeTaint(
  io: Io,
  letter: string,
  flags: CommonFlags & { readonly reason?: string; readonly scope?: string },
): Promise<ExitCode> {
  if (!/^[A-Z]$/.test(letter)) throw new UsageError(`\`${letter}\` is no letter of the register`, 'see `cci taint`');
  if (flags.reason === undefined || flags.reason === '') {
    throw new UsageError('say why: the journal keeps it', 'give --reason "what you have looked at"');
  }
  const { client, json, switch: name } = await connect(io, flags);
  printTaint(io, await client.acknowledgeTaint(letter, flags.scope ?? `/switches/${name}`, flags.reason), json);
  return EXIT.done;
}

function printTaint(io: Io, registers: readonly Taint[], json: boolean): void {
  if (json) {
    io.out(`${safeJson(registers)}\n`);
    return;
  }
  const colours = paint(io);
  for (const register of registers) {
    const head = `${safe(register.switch)}: ${register.mask} (${safe(register.letters)})`;
    io.out(`${register.mask === 0 ? colours.green(head) : colours.yellow(head)}\n`);
    if (register.entries.length === 0) continue;
    io.out(
      table(
        [
          { title: 'BIT', cell: (entry) => entry.bit, align: 'right' },
          { title: 'LETTER', cell: (entry) => entry.letter },
          { title: 'WHEN', cell: (entry) => instant(entry.atMs) },
          { title: 'BY', cell: (entry) => entry.by },
          { title: 'RECORD', cell: (entry) => entry.record },
          { title: 'SCOPE', cell: (entry) => entry.scope },
          { title: 'ACKNOWLEDGED', cell: (entry) => entry.acknowledged },
          { title: 'REASON', cell: (entry) => entry.reason },
        ],
        register.entries,
        colours,
      ),
    );
  }
}
