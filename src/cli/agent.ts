import { decodeRequestMessage, encodeMessage, RC } from '../cci/index.ts';
import type { Session } from '../client/index.ts';
import type { Relay, TokenSource } from '../edge/index.ts';
import { clientTls } from './client-certificate.ts';
import { brokerUrl, type CommonFlags, DEFAULT_SWITCH, DEFAULT_URL, isLoopback, nonEmpty } from './connection.ts';
import { clientDpop } from './dpop-key.ts';
import { parseListen } from './emulate.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import type { Io } from './io.ts';
import { safe } from './safe-text.ts';
import { LocalError, UsageError } from './usage-error.ts';

export interface AgentFlags extends CommonFlags {
  readonly listen?: string;
  readonly dialect?: string;
  readonly tokenCommand?: string;
  readonly insecureNetwork?: boolean;
}

/**
 * `cci agent`: an MCTP endpoint beside a tool that knows nothing of tokens. Holds the user's token and relays to the
 * broker over the authenticated stream; while the broker is away every request is answered with an error at once. Ends
 * at SIGINT or SIGTERM.
 */
export async function agent(io: Io, flags: AgentFlags): Promise<ExitCode> {
  const dialect = flags.dialect ?? 'spec';
  if (dialect !== 'spec' && dialect !== 'jackrabbit') {
    throw new UsageError(`there is no dialect \`${dialect}\``, 'give spec or jackrabbit');
  }
  const { host, port } = parseListen(flags.listen ?? '127.0.0.1:2508');
  if (!isLoopback(host === '::1' ? '[::1]' : host) && flags.insecureNetwork !== true) {
    throw new UsageError(
      `others could connect at \`${host}\` and would act under your token`,
      'listen on 127.0.0.1; --insecure-network where the network itself keeps others out',
    );
  }
  const url = brokerUrl(flags.url ?? nonEmpty(io.env.CCI_URL) ?? DEFAULT_URL);
  const name = flags.switch ?? nonEmpty(io.env.CCI_SWITCH) ?? DEFAULT_SWITCH;
  const tell = (text: string): void => io.err(`cci agent: ${safe(text)}\n`);
  const tokens = await tokensOf(io, flags, tell);
  const [tls, dpop] = await Promise.all([clientTls(io, flags), clientDpop(io, flags)]);
  if (url.protocol === 'http:' && !isLoopback(url.hostname))
    tell(`the token goes to ${url.host} unencrypted; use https`);

  const [{ createClient }, { createMctpListener, endpointUuid }] = await Promise.all([
    import('../client/index.ts'),
    import('../edge/index.ts'),
  ]);
  const client = createClient({ url: url.href, tokenProvider: () => tokens.current(), switch: name, ...tls, ...dpop });
  const session = await client.session({
    onState: (state, why) => {
      if (state === 'open') tell(`connected to ${url.href}`);
      else if (state === 'away') {
        tell(`not connected: ${why}`);
        // It may be the token that the broker did not take.
        void tokens.renew();
      }
    },
  });
  const listener = createMctpListener({ dialect, relay: sessionRelay(session), uuid: endpointUuid(`agent ${name}`) });
  try {
    const bound = await listener.listen(host, port).catch((error: unknown) => {
      const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
      throw new LocalError(`cannot listen at ${host}:${port} (${code})`, 'name another address with --listen');
    });
    const where = bound.host.includes(':') ? `[${bound.host}]` : bound.host;
    io.err(
      `MCTP over TCP at ${where}:${bound.port}, dialect ${dialect}, for switch ${safe(name)} of ${url.href}\n` +
        'whoever on this machine connects there acts under your token\n',
    );
    const told = io.untilTold(() => void tokens.renew());
    await new Promise<void>((resolve) => told.addEventListener('abort', () => resolve(), { once: true }));
  } finally {
    await listener.close();
    await session.close();
  }
  return EXIT.done;
}

async function tokensOf(io: Io, flags: AgentFlags, tell: (text: string) => void): Promise<TokenSource> {
  const { tokenCommand, tokenFile, token } = flags;
  const given = [tokenCommand, tokenFile, token].filter((one) => one !== undefined);
  if (given.length > 1) {
    throw new UsageError('--token, --token-file and --token-command exclude each other', 'give one of them');
  }
  if (tokenCommand !== undefined) {
    const { CommandToken } = await import('./token-command.ts');
    return new CommandToken(tokenCommand, (problem) => tell(`the token command ${problem}`));
  }
  const { FileToken, isToken } = await import('../edge/index.ts');
  const file = tokenFile ?? (token === undefined ? nonEmpty(io.env.CCI_TOKEN_FILE) : undefined);
  if (file !== undefined) return new FileToken(file, tell);
  const fixed = (token ?? io.env.CCI_TOKEN ?? '').trim();
  if (!isToken(fixed)) {
    throw new UsageError('there is no token', 'name a file with --token-file, or a command with --token-command');
  }
  return { current: () => fixed, renew: async () => fixed };
}

/** Requests of the listener over the session; it rejects at once while there is no connection. */
function sessionRelay(session: Session): Relay {
  return async (message, { gone }) => {
    const request = decodeRequestMessage(message);
    const tag = message[1] ?? 0;
    if (!request.ok) {
      const returnCode = request.error.code === 'length' ? RC.invalidPayloadLength : RC.invalidInput;
      const opcode = (message[3] ?? 0) + (message[4] ?? 0) * 256;
      const nothing = { background: false, vendorStatus: 0, payload: new Uint8Array(0) };
      return encodeMessage({ category: 'response', tag, opcode, returnCode, ...nothing });
    }
    const { opcode, payload } = request.value;
    const reply = await session.send(opcode, payload, { signal: gone });
    return encodeMessage({ ...reply, tag });
  };
}
