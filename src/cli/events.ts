import type { SwitchEvent } from '../client/index.ts';
import { type CommonFlags, connect } from './connection.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import type { Io } from './io.ts';
import { paint } from './paint.ts';
import { safe, safeJson } from './safe-text.ts';
import { type Column, table } from './table.ts';
import { UsageError } from './usage-error.ts';
import { instant } from './views.ts';

export interface EventFlags extends CommonFlags {
  readonly follow?: boolean;
  readonly after?: string;
}

/** Pages that are asked for until everything that is kept was shown. */
const PAGE = 1000;
const ID = /^(now|[0-9a-f]{8}-\d{1,15})$/;

/** `cci events`: what the broker keeps, oldest first; with --follow it goes on. With --json one object a line. */
export async function events(io: Io, flags: EventFlags): Promise<ExitCode> {
  const { after, follow } = flags;
  if (after !== undefined && !ID.test(after)) {
    throw new UsageError(`\`${safe(after)}\` is not the id of an event`, '`cci events` shows ids in its first column');
  }
  const { client, json } = await connect(io, flags);
  const kept: SwitchEvent[] = [];
  let at = after;
  for (let more = true; more; ) {
    const page = await client.listEvents({ limit: PAGE, ...(at === undefined ? {} : { after: at }) });
    kept.push(...page.events);
    at = page.next;
    more = page.more;
  }
  if (json) io.out(kept.map((event) => `${safeJson(event, 0)}\n`).join(''));
  else io.out(table(columns, kept, paint(io)));
  if (follow !== true) return EXIT.done;
  const signal = io.untilTold();
  for await (const event of client.events({ signal, ...(at === undefined ? {} : { after: at }) })) {
    io.out(
      json ? `${safeJson(event, 0)}\n` : `${columns.map(({ cell }) => safe(String(cell(event) ?? '-'))).join('  ')}\n`,
    );
  }
  return EXIT.done;
}

const columns: readonly Column<SwitchEvent>[] = [
  { title: 'ID', cell: (event) => event.id },
  { title: 'AT', cell: (event) => time(event.timestamp) },
  { title: 'LOG', cell: (event) => event.log },
  { title: 'FROM', cell: (event) => event.source },
  { title: 'EVENT', cell: (event) => nameOf(event) },
  { title: 'WHAT', cell: (event) => sentence(event) },
];

/** Nanoseconds as people read them. */
function time(timestamp: string | undefined): string | undefined {
  return timestamp === undefined || !/^\d{1,20}$/.test(timestamp)
    ? undefined
    : instant(Number(BigInt(timestamp) / 1_000_000n));
}

function nameOf(event: SwitchEvent): string {
  return event.kind === 'record' ? (event.type ?? 'unknown') : event.kind;
}

function sentence(event: SwitchEvent): string {
  const lost = event.lost === undefined ? 'some' : String(event.lost);
  if (event.kind === 'overflow') return `${lost} records lost: the log of the switch was full`;
  if (event.kind === 'gap') return `${lost} events are not kept any more`;
  const { details } = event;
  const at = (name: string): string => String(member(details, name) ?? '-');
  switch (event.type) {
    case 'physical-switch':
      return `port ${at('physical_port_id')}: ${at('event_type')}, ltssm ${at('ltssm_state')}, device ${at('connected_device_type')}`;
    case 'virtual-switch':
      return `vcs ${id(at('vcs_id'))} vppb ${id(at('vppb_id'))}: ${at('event_type')}, ${bound(at)}`;
    case 'mld-port':
      return `port ${at('port_id')}: ${at('event_type')} ${at('error_message')}`;
    case 'dynamic-capacity':
      return `host ${at('host_id')}: ${at('event_type')}, tag ${at('tag')}, ${at('length')} bytes at ${at('starting_dpa')}`;
    default:
      return event.uuid === undefined ? 'cannot be read' : `kind ${event.uuid}`;
  }
}

function bound(at: (name: string) => string): string {
  const status = at('vppb_binding_status');
  if (status === 'bound-to-physical-port') return `${status} ${at('vppb_port_id')}`;
  return status === 'bound-to-ld' ? `${status} ${at('vppb_port_id')}/${at('vppb_ld_id')}` : status;
}

/** FFh stands where an object is somebody else's. */
function id(text: string): string {
  return text === '255' ? '?' : text;
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? Reflect.get(value, name)
    : undefined;
}
