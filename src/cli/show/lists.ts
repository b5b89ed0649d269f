import type { OfferedCommand } from '../../client/index.ts';
import { type CommonFlags, connect } from '../connection.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { paint } from '../paint.ts';
import { safeJson } from '../safe-text.ts';
import { table } from '../table.ts';
import { instant } from '../views.ts';

const hex16 = (value: number) => `0x${value.toString(16).padStart(4, '0')}`;

/** `cci show commands` */
export async function showCommands(io: Io, flags: CommonFlags): Promise<ExitCode> {
  const session = await connect(io, flags);
  const offered = await session.client.commands();
  const colours = paint(io);
  io.out(
    session.json
      ? `${safeJson(offered)}\n`
      : table(
          [
            { title: 'OPCODE', cell: (row) => hex16(row.opcode) },
            { title: 'COMMAND', cell: (row) => row.slug },
            { title: 'CLASS', cell: (row) => row.class },
            { title: 'SCOPE', cell: (row) => row.scope, align: 'right' },
            {
              title: 'ALLOWED',
              cell: (row) => row.allowed,
              paint: (row, text) => (row.allowed ? colours.green(text) : colours.dim(text)),
            },
            { title: 'NAME', cell: (row) => row.name },
            ...(offered.some((row) => row.vendor !== undefined) ? [reviewed] : []),
          ],
          offered,
          colours,
        ),
  );
  return EXIT.done;
}

/** Commands of vendors, and who answers for each. */
const reviewed = {
  title: 'VENDOR, REVIEWED BY',
  cell: ({ vendor }: OfferedCommand) => (vendor === undefined ? undefined : `${vendor.reviewer}, ${vendor.date}`),
};

/** `cci show operations` */
export async function showOperations(io: Io, flags: CommonFlags): Promise<ExitCode> {
  const session = await connect(io, flags);
  const operations = await session.client.operations();
  io.out(
    session.json
      ? `${safeJson(operations)}\n`
      : table(
          [
            { title: 'OPERATION', cell: (row) => row.id },
            { title: 'COMMAND', cell: (row) => row.command },
            { title: 'VIA', cell: (row) => row.via },
            { title: 'STATE', cell: (row) => (row.overdue === true ? `${row.state}, overdue` : row.state) },
            { title: 'PERCENT', cell: (row) => row.percent, align: 'right' },
            { title: 'RETURN CODE', cell: (row) => (row.returnCode === undefined ? undefined : hex16(row.returnCode)) },
            { title: 'STARTED', cell: (row) => instant(row.startedAtMs) },
          ],
          operations,
          paint(io),
        ),
  );
  return EXIT.done;
}
