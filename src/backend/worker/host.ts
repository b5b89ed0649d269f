import { Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { opcode } from '../../cci/index.ts';
import { type Backend, BackendError } from '../backend.ts';
import { encodeFrame, type Frame, FrameError, type FrameKind, FrameReader } from './frames.ts';
import { decodeExecute, encodeFailed, encodeOpened, encodeReply, parsed } from './messages.ts';

/** Makes a backend from its options: plain data that the broker's configuration was checked for. */
export type BackendMaker = (options: unknown) => Promise<Backend>;

/** The worker's end of the channel. */
const CHANNEL_FD = 3;

/**
 * The worker: one backend at the other end of a channel. The process belongs to the broker: it ends at once, by
 * SIGKILL, when the channel closes, whatever it is doing. What was not sent to the device by then is not sent any
 * more; what was sent is for the broker's next start to report as unknown, since its intent is on the disk. It never
 * ends by a signal meant for the broker, such as Ctrl-C or a service manager's, which would cut off what the broker
 * is about to finish in order.
 */
export function hostBackend(makers: { readonly [kind: string]: BackendMaker }): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
  const channel = new Socket({ fd: CHANNEL_FD, readable: true, writable: true });
  const reader = new FrameReader('broker');
  let backend: Backend | undefined;

  const send = (kind: FrameKind, sequence: number, body: Uint8Array): void => {
    channel.write(encodeFrame({ kind, sequence, body }));
  };
  const fail = (sequence: number, error: unknown, outcome: 'not-sent' | 'unknown'): void => {
    const text = error instanceof Error ? error.message : String(error);
    const known = error instanceof BackendError ? error : new BackendError('EIO', outcome, text);
    send('failed', sequence, encodeFailed(known));
  };

  const open = async ({ sequence, body }: Frame): Promise<void> => {
    const { kind, options } = parsed(body);
    const maker = typeof kind === 'string' && Object.hasOwn(makers, kind) ? makers[kind] : undefined;
    if (maker === undefined || backend !== undefined) throw new FrameError('an `open` that is out of place');
    try {
      const made = await maker(options);
      backend = made;
      await made.open();
      send('opened', sequence, encodeOpened({ identity: made.identity, maxPayload: made.maxPayload }));
    } catch (error) {
      fail(sequence, error, 'not-sent');
    }
  };

  const execute = async ({ sequence, body }: Frame): Promise<void> => {
    const { opcode: code, leftMs, payload } = decodeExecute(body);
    if (backend === undefined) throw new FrameError('an `execute` that is out of place');
    try {
      const reply = await backend.execute({ opcode: opcode(code), payload }, performance.now() + leftMs);
      send('reply', sequence, encodeReply(reply));
    } catch (error) {
      fail(sequence, error, 'unknown');
    }
  };

  const close = async ({ sequence }: Frame): Promise<void> => {
    await backend?.close();
    send('closed', sequence, new Uint8Array(0));
  };

  const take = (frame: Frame): Promise<void> => {
    if (frame.kind === 'open') return open(frame);
    return frame.kind === 'execute' ? execute(frame) : close(frame);
  };

  channel.on('data', (chunk: Buffer) => {
    try {
      for (const frame of reader.take(chunk)) take(frame).catch(endOnBrokenRule);
    } catch (error) {
      endOnBrokenRule(error);
    }
  });
  channel.on('error', endAtOnce);
  channel.on('end', endAtOnce);
  channel.on('close', endAtOnce);
  send('ready', 0, new Uint8Array(0));
}

/** No exit handler of anybody may hold it up, or touch the device again. */
function endAtOnce(): void {
  process.kill(process.pid, 'SIGKILL');
}

function endOnBrokenRule(error: unknown): never {
  process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(70);
}
