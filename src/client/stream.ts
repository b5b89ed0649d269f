import { type CciMessage, decodeResponseMessage, encodeMessage } from '../cci/index.ts';
import { ProtocolError, UnreachableError } from './errors.ts';
import { networkOf, tlsProblem } from './network.ts';
import { identityHeaders } from './request-headers.ts';
import { base, bearer, type TransportOptions } from './transport.ts';

/** A stream of CCI messages. Requests are pipelined; replies come in the order in which they are done. */
export interface MessageStream {
  /**
   * Sends one command and waits for its reply. At most 255 may be under way. Refusals of the broker are return codes of
   * the reply (0002h denied, 0003h not offered, ...).
   *
   * @param signal stops the waiting; a command that has left may be carried out all the same
   * @throws UnreachableError without a connection, ProtocolError with 255 commands under way
   */
  send(opcode: number, payload: Uint8Array, signal?: AbortSignal): Promise<CciMessage>;
  /** Commands that are under way. */
  readonly outstanding: number;
  /** Fulfilled with the reason when the stream has ended, whoever ended it. */
  readonly closed: Promise<string>;
  close(): Promise<void>;
}

const MAX_OUTSTANDING = 255;

interface Waiting {
  readonly opcode: number;
  readonly resolve: (reply: CciMessage) => void;
  readonly reject: (error: Error) => void;
}

/** Opens the stream at `path`, with the token given or the one of the options. @throws UnreachableError when the broker does not take it, for whatever reason */
export async function openStream(options: TransportOptions, path: string, token?: string): Promise<MessageStream> {
  const url = new URL(path, base(options.url));
  token ??= await bearer(options);
  const [network, headers] = await Promise.all([
    networkOf(options),
    identityHeaders(options, token, { method: 'GET', url: new URL(url), isUpgrade: true }),
  ]);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  const socket = network.webSocket(url, headers);
  socket.binaryType = 'arraybuffer';
  await opened(socket, options.url);

  const waiting = new Map<number, Waiting>();
  let nextTag = 0;
  const fail = (error: Error): void => {
    for (const one of waiting.values()) one.reject(error);
    waiting.clear();
  };
  socket.addEventListener('message', (event) => {
    const reply = event.data instanceof ArrayBuffer ? decodeResponseMessage(new Uint8Array(event.data)) : undefined;
    const request = reply?.ok ? waiting.get(reply.value.tag) : undefined;
    if (!reply?.ok || request === undefined || request.opcode !== reply.value.opcode) {
      fail(new ProtocolError('the broker sent a message that answers nothing'));
      socket.close(1000);
      return;
    }
    waiting.delete(reply.value.tag);
    request.resolve(reply.value);
  });
  const closed = new Promise<string>((resolve) => {
    socket.addEventListener('close', (event) => {
      const why = `the stream was closed (${event.code}${event.reason === '' ? '' : ` ${event.reason}`})`;
      fail(new UnreachableError(why));
      resolve(why);
    });
  });

  return {
    closed,
    get outstanding() {
      return waiting.size;
    },
    send(opcode, payload, signal) {
      if (signal?.aborted) return Promise.reject(new UnreachableError('the request was cancelled'));
      if (socket.readyState !== WebSocket.OPEN) return Promise.reject(new UnreachableError('the stream is closed'));
      if (waiting.size >= MAX_OUTSTANDING) {
        return Promise.reject(new ProtocolError(`more than ${MAX_OUTSTANDING} commands are under way`));
      }
      while (waiting.has(nextTag)) nextTag = (nextTag + 1) % 256;
      const tag = nextTag;
      nextTag = (nextTag + 1) % 256;
      const request = { category: 'request', background: false, returnCode: 0, vendorStatus: 0 } as const;
      return new Promise((resolve, reject) => {
        // The tag stays taken until the reply has come, or it could be taken for that of the next one.
        const onAbort = (): void => reject(new UnreachableError('the request was cancelled'));
        signal?.addEventListener('abort', onAbort, { once: true });
        const settled =
          <T>(settle: (value: T) => void) =>
          (value: T): void => {
            signal?.removeEventListener('abort', onAbort);
            settle(value);
          };
        waiting.set(tag, { opcode, resolve: settled(resolve), reject: settled<Error>(reject) });
        socket.send(Uint8Array.from(encodeMessage({ ...request, tag, opcode, payload })));
      });
    },
    async close() {
      socket.close(1000);
      await closed;
    },
  };
}

function opened(socket: WebSocket, url: string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.addEventListener('open', () => resolve(), { once: true });
    const failed = (event: Event): void => {
      const problem = tlsProblem('error' in event ? event.error : undefined);
      const why = problem ?? 'is the token valid, is there such a switch?';
      const reason = problem === undefined ? undefined : 'tls';
      reject(new UnreachableError(`${url} does not open a stream: ${why}`, undefined, reason));
    };
    socket.addEventListener('error', failed, { once: true });
  });
}
