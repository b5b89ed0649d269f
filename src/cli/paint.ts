import type { Io } from './io.ts';

export interface Paint {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly red: (text: string) => string;
  readonly green: (text: string) => string;
  readonly yellow: (text: string) => string;
}

/** Colours for a terminal; none anywhere else, none under NO_COLOR. */
export function paint(io: Io, stream: 'out' | 'err' = 'out'): Paint {
  const terminal = stream === 'out' ? io.outIsTerminal : io.errIsTerminal;
  const on = terminal && (io.env.NO_COLOR ?? '') === '' && io.env.TERM !== 'dumb';
  const code = (open: number, close: number) => (text: string) =>
    on && text !== '' ? `\u001b[${open}m${text}\u001b[${close}m` : text;
  return { bold: code(1, 22), dim: code(2, 22), red: code(31, 39), green: code(32, 39), yellow: code(33, 39) };
}
