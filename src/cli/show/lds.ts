import { BrokerError, DeviceError } from '../../client/index.ts';
import { type CommonFlags, connect, type Session } from '../connection.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { paint } from '../paint.ts';
import { safe, safeJson } from '../safe-text.ts';
import { table } from '../table.ts';
import { list, type Members, number, owned, read, text } from './inventory.ts';
import { readPorts } from './ports.ts';

interface LdLine {
  readonly port: number;
  readonly ld: number;
  readonly granularity: string | undefined;
  readonly range1: string | undefined;
  readonly range2: string | undefined;
}

/** `cci show lds`: LDs of the MLDs that the caller can reach, read through a tunnel to each */
export async function showLds(io: Io, flags: CommonFlags): Promise<ExitCode> {
  const session = await connect(io, flags);
  const mlds = (await readPorts(session))
    .filter((port) => port.connected_device_type === 'type-3-mld')
    .flatMap((port) => number(port.port_id) ?? []);
  // Whoever has an LD and not its port does not see the port in the list above.
  const { lds } = await owned(session);
  const ports = [...new Set([...mlds, ...lds.keys()])].sort((a, b) => a - b);
  const lines: LdLine[] = [];
  for (const port of ports) {
    // The list of allocations is positional: entries of others are there, and empty.
    const own = lds.get(port);
    lines.push(...(await ldsBehind(session, port)).filter(({ ld }) => own === undefined || own.has(ld)));
  }
  io.out(
    session.json
      ? `${safeJson(lines)}\n`
      : table(
          [
            { title: 'PORT', cell: (line) => line.port, align: 'right' },
            { title: 'LD', cell: (line) => line.ld, align: 'right' },
            { title: 'GRANULARITY', cell: (line) => line.granularity },
            { title: 'RANGE 1', cell: (line) => line.range1, align: 'right' },
            { title: 'RANGE 2', cell: (line) => line.range2, align: 'right' },
          ],
          lines,
          paint(io),
        ),
  );
  return EXIT.done;
}

async function ldsBehind(session: Session, port: number): Promise<readonly LdLine[]> {
  const via = `port:${port}`;
  try {
    const info = await read(session, 'get-ld-info', {}, via);
    const count = number(info.ld_count) ?? 0;
    if (count === 0) return [];
    const params = { start_ld_id: 0, ld_allocation_list_limit: Math.min(count, 255) };
    const found = await read(session, 'get-ld-allocations', params, via);
    const start = number(found.start_ld_id) ?? 0;
    return list(found.ld_allocation_list).map((allocation: Members, i) => ({
      port,
      ld: start + i,
      granularity: text(found.memory_granularity),
      range1: multiplier(allocation.range_1_allocation_multiplier),
      range2: multiplier(allocation.range_2_allocation_multiplier),
    }));
  } catch (error) {
    // One port out of reach must not hide the others.
    if (error instanceof DeviceError || (error instanceof BrokerError && error.code !== 'EAUTH')) {
      session.io.err(`port ${port}: ${safe(error.message)}\n`);
      return [];
    }
    throw error;
  }
}

/** 64-bit numbers come as `0x...` text. */
function multiplier(value: unknown): string | undefined {
  const given = text(value);
  return given !== undefined && /^0x[0-9a-f]{1,16}$/.test(given) ? BigInt(given).toString() : given;
}
