import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ByteStream, endLine, headerLine, markerLine, resizeLine } from '../../src/broker/recording/cast.ts';
import { RecordingError } from '../../src/broker/recording/contract.ts';
import { readRecording } from '../../src/broker/recording/read.ts';
import { bytesOf, demand, type Target, textOf } from '../engine/target.ts';
import { json, lines } from '../support/text-mutators.ts';

const CODES = ['o', 'i', 'r', 'm'];

function recording(chunks: readonly Uint8Array[], isWhole: boolean): string {
  const output = new ByteStream('o');
  const cci = { session: 's', switch: 'sw0', program: '/bin/sh', principal: 'user:x#y' };
  const header = {
    version: 2,
    width: 80,
    height: 24,
    timestamp: 1,
    title: 't',
    env: { TERM: 'xterm-256color' },
    cci,
  } as const;
  const parts = [headerLine(header), resizeLine(5, 100, 30), markerLine(6, 'begun')];
  chunks.forEach((chunk, i) => {
    parts.push(output.take(chunk, 10 + i));
  });
  if (isWhole) parts.push(endLine(99));
  return parts.join('');
}

export const target: Target = {
  name: 'recording-file',
  oracle:
    'a recording is refused with its own error, or its events come in order, bounded, with bytes that fit their text',
  covers: ['src/broker/recording', 'src/broker/journal/line-reader.ts'],
  kind: 'text',
  maxLength: 1500,
  dictionary: ['[1,"o","x"]\n', '[2,"b","/w=="]\n', '[2,"p","o:4oI="]\n', '[3,"x","end"]\n', '1e400', '-1', 'eyJ'],
  seeds: () => [
    bytesOf(recording([bytesOf('hello\r\n'), bytesOf('é')], true)),
    bytesOf(recording([Uint8Array.of(0xe2, 0x82), Uint8Array.of(0xac, 0xff, 0x41)], true)),
    bytesOf(recording([bytesOf('cut'), Uint8Array.of(0xf0)], false)),
    bytesOf('eyJhbGciOiJFQ0RILUVTIn0.a.b.c.d\n'),
  ],
  mutators: [
    lines,
    (input, random, other) => {
      // One line as JSON, the others as they are.
      const all = textOf(input).split('\n');
      const index = random.below(all.length);
      const changed = json(bytesOf(all[index] ?? ''), random, bytesOf(textOf(other).split('\n')[0] ?? ''));
      return bytesOf(all.with(index, textOf(changed)).join('\n'));
    },
  ],
  open() {
    const directory = mkdtempSync(join(tmpdir(), 'cci-fuzz-'));
    const path = join(directory, 'recording.cast');
    return {
      async run(bytes) {
        writeFileSync(path, bytes);
        try {
          const { events, header } = await readRecording(path);
          demand(header.width > 0 && header.height > 0 && header.width <= 10_000, `${header.width} columns`);
          let last = 0;
          for await (const event of events()) {
            demand(CODES.includes(event.code), `an event of kind ${event.code}`);
            demand(
              Number.isSafeInteger(event.elapsedMs) && event.elapsedMs >= last,
              `${event.elapsedMs} behind ${last}`,
            );
            demand(event.bytes.length <= bytes.length, 'more bytes than the file has');
            last = event.elapsedMs;
          }
        } catch (error) {
          if (!(error instanceof RecordingError)) throw error;
        }
      },
      close: () => rmSync(directory, { recursive: true, force: true }),
    };
  },
};
