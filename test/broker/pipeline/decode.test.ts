import { describe, expect, it } from 'vitest';
import type { CommandRequest } from '../../../src/broker/core-api.ts';
import { decode, typedRow } from '../../../src/broker/pipeline/decode.ts';
import { builtinCommands, encodeMessage, encodeRoute, maxRoutedPayload, parseVia } from '../../../src/cci/index.ts';
import { commandBytes } from '../../support/handmade-bytes.ts';

const decoded = (request: CommandRequest) => decode('sw0', request, builtinCommands);
const named = (command: string, params?: unknown, via?: string) =>
  decoded({ kind: 'named', command, params, ...(via === undefined ? {} : { via }) });
const raw = (opcode: number, payload = new Uint8Array(0), via?: string) =>
  decoded({ kind: 'raw', opcode, payload, ...(via === undefined ? {} : { via }) });
const port = (id: number) => ({ kind: 'port', port: id });

function message(opcode: number, payload: Uint8Array, tag = 7): CommandRequest {
  const bytes = encodeMessage({
    category: 'request',
    tag,
    opcode,
    background: false,
    returnCode: 0,
    vendorStatus: 0,
    payload,
  });
  return { kind: 'message', bytes };
}

describe('a command by name', () => {
  it('is its opcode and its bytes, as it was asked for', () => {
    expect(named('get-physical-port-state', { port_id_list: [3, 4] })).toEqual({
      ok: true,
      value: {
        submission: {
          switch: 'sw0',
          submittedAs: 'typed',
          command: { hops: [], tags: [], opcode: 0x5101, payload: Uint8Array.of(2, 3, 4) },
        },
        commands: builtinCommands,
        asked: { port_id_list: [3, 4] },
        message: undefined,
      },
    });
  });

  it.each([undefined, ''])('without a path (%s) goes to the switch', (via) => {
    expect(named('identify', {}, via)).toMatchObject({ value: { submission: { command: { hops: [] } } } });
  });

  it('with a path has its tunnels around it, each with a tag of its own', () => {
    const tags = (result: ReturnType<typeof named>) => (result.ok ? result.value.submission.command.tags : []);
    const first = named('identify', {}, 'port:5/ld:1');
    expect(first).toMatchObject({
      value: { submission: { command: { opcode: 1, hops: [port(5), { kind: 'ld', ld: 1 }] } } },
    });
    const [outer = 0, inner = 0] = tags(first);
    expect(inner).toBe((outer + 1) & 0xff);
    let last = inner;
    // All values come round, so that a reply that is late is not taken for this one.
    const seen = new Set<number>();
    for (let i = 0; i < 256; i++) {
      const [tag = -1] = tags(named('identify', {}, 'port:5'));
      expect(tag).toBe((last + 1) & 0xff);
      last = tag;
      seen.add(tag);
    }
    expect(seen.size).toBe(256);
  });

  it.each([
    ['no such name', 'no-such', {}, undefined, 'command', 'there is no command `no-such`'],
    ['a name of bytes', `${'\u001b'.repeat(2)}é`, {}, undefined, 'command', 'there is no command `???`'],
    ['a long name', 'x'.repeat(70), {}, undefined, 'command', `there is no command \`${'x'.repeat(64)}\``],
    ['printable to its ends', ' ~\u007f\u001f', {}, undefined, 'command', 'there is no command ` ~??`'],
    [
      'no layout',
      'identify-pbr-component',
      {},
      undefined,
      'command',
      '`identify-pbr-component` has no verified layout: it can only be sent raw, as 0x0700',
    ],
    [
      'no path',
      'identify',
      {},
      'port:',
      'via',
      '`via` is `port:N`, `port:N/ld:N` or `port:N/ldpool`, ids 0 to 255 in decimal',
    ],
  ])('is refused for %s', (_what, command, params, via, field, detail) => {
    expect(named(command, params, via)).toStrictEqual({
      ok: false,
      error: { code: 'EPARAM', detail, field, returnCode: 2 },
    });
  });

  it.each([
    ['of another type', 'get-physical-port-state', { port_id_list: 'x' }, 'port_id_list[0]'],
    ['out of its range', 'get-physical-port-state', { port_id_list: [256] }, 'port_id_list[0]'],
    ['that is missing', 'get-physical-port-state', {}, 'number_of_ports'],
    ['too short', 'get-physical-port-state', { port_id_list: [] }, 'number_of_ports'],
  ])('is refused for a parameter %s, by name', (_what, command, params, field) => {
    const result = named(command, params);
    expect(result).toMatchObject({ ok: false, error: { code: 'EPARAM', field, returnCode: 2 } });
    if (!result.ok) expect(result.error.detail.startsWith(`\`${field}\` `)).toBe(true);
  });
});

describe('raw bytes', () => {
  it.each([1, 0xffff])('of opcode %i are taken as they are', (opcode) => {
    expect(raw(opcode, Uint8Array.of(1, 2))).toMatchObject({
      ok: true,
      value: { submission: { submittedAs: 'raw', command: { opcode, payload: Uint8Array.of(1, 2) } } },
    });
  });

  it.each([-1, 0x10000, 1.5, Number.NaN])('of opcode %d are refused', (opcode) => {
    expect(raw(opcode)).toStrictEqual({
      ok: false,
      error: { code: 'EPARAM', detail: '`opcode` is a number of 16 bits', field: 'opcode', returnCode: 2 },
    });
  });

  it('of opcode 0 are refused for what they are, not for their number', () => {
    expect(raw(0)).toMatchObject({ error: { code: 'EINVAL' } });
  });

  it('may fill what the path leaves, to the byte', () => {
    for (const via of [undefined, 'port:5', 'port:5/ld:1']) {
      const most = maxRoutedPayload(via === undefined ? 0 : (parseVia(via)?.length ?? 0));
      expect(raw(0xc000, new Uint8Array(most), via).ok).toBe(true);
      expect(raw(0xc000, new Uint8Array(most + 1), via)).toStrictEqual({
        ok: false,
        error: {
          code: 'ENOMEM',
          detail: `wrong length: a payload has at most ${most} bytes there`,
          returnCode: 0x16,
        },
      });
    }
  });

  it('are read where they have a layout, and are not where they do not fit it', () => {
    expect(raw(0x5101, Uint8Array.of(1, 3))).toMatchObject({ value: { asked: { port_id_list: [3] } } });
    expect(raw(0x5101, Uint8Array.of(2, 3))).toMatchObject({ ok: true, value: { asked: undefined } });
    expect(raw(0xc000, Uint8Array.of(2, 3))).toMatchObject({ ok: true, value: { asked: undefined } });
  });

  it('are refused for a path that is none', () => {
    expect(raw(1, new Uint8Array(0), 'ld:1')).toMatchObject({ error: { code: 'EPARAM', field: 'via' } });
  });
});

describe('a message', () => {
  it('is typed where its opcode has a layout, and keeps its tag and what was outermost', () => {
    const inner = { hops: parseVia('port:5') ?? [], tags: [9], opcode: 0x5400, payload: new Uint8Array(0) };
    const outer = encodeRoute(inner);
    expect(decoded(message(outer.opcode, outer.payload))).toEqual({
      ok: true,
      value: {
        submission: { switch: 'sw0', submittedAs: 'typed', command: inner },
        commands: builtinCommands,
        asked: {},
        message: { tag: 7, outerOpcode: 0x5300 },
      },
    });
    expect(decoded(message(0xc010, Uint8Array.of(1), 255))).toMatchObject({
      value: { submission: { submittedAs: 'raw' }, message: { tag: 255, outerOpcode: 0xc010 } },
    });
  });

  it('of another length than it says is refused for that', () => {
    expect(decoded({ kind: 'message', bytes: new Uint8Array(3) })).toMatchObject({
      ok: false,
      error: { code: 'ENOMEM', returnCode: 0x16, detail: expect.stringMatching(/^wrong length: ./) as string },
    });
  });

  it('that is no request is refused as malformed, with the field', () => {
    const bytes = (message(1, new Uint8Array(0)) as { readonly bytes: Uint8Array }).bytes.slice();
    bytes[0] = 1;
    expect(decoded({ kind: 'message', bytes })).toMatchObject({
      ok: false,
      error: { code: 'EINVAL', returnCode: 2, detail: expect.stringMatching(/^malformed command: \S+ \S+/) as string },
    });
  });

  it('with a tunnel that holds nothing whole is refused', () => {
    expect(decoded(message(0x5300, Uint8Array.of(5)))).toMatchObject({ ok: false, error: { code: 'ENOMEM' } });
    const { opcode, payload } = encodeRoute({
      hops: parseVia('port:5') ?? [],
      tags: [9],
      opcode: 1,
      payload: new Uint8Array(0),
    });
    const broken = payload.slice();
    broken[1] = 0xff;
    expect(decoded(message(opcode, broken)).ok).toBe(false);
  });
});

describe('the row of an opcode', () => {
  it('is there where it has layouts', () => {
    expect(typedRow(0x5101, builtinCommands)?.slug).toBe('get-physical-port-state');
    expect(typedRow(0x0700, builtinCommands)).toBeUndefined();
    expect(typedRow(0xc010, builtinCommands)).toBeUndefined();
    expect(commandBytes('get-physical-port-state', { port_id_list: [1] })).toEqual(Uint8Array.of(1, 1));
  });
});
