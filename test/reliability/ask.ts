import { request as plain } from 'node:http';
import { request as secure } from 'node:https';
import type { Running } from './broker-process.ts';

/** What came back: a status, or what became of the connection. */
export interface Answer {
  readonly status?: number;
  readonly code?: string;
  readonly detail?: string;
  readonly body?: { readonly [member: string]: unknown };
  readonly headers?: { readonly [name: string]: string | string[] | undefined };
  /** Error of the socket, where there was no answer. */
  readonly socket?: string;
  readonly tookMs: number;
}

export interface Asked {
  readonly method?: string;
  readonly token?: string;
  readonly body?: unknown;
  readonly headers?: { readonly [name: string]: string };
  readonly timeoutMs?: number;
}

/** One request on a connection of its own. Never rejects. */
export function ask(broker: Running, path: string, asked: Asked = {}): Promise<Answer> {
  const { token, body, headers, method = body === undefined ? 'GET' : 'POST', timeoutMs = 30_000 } = asked;
  const ca = broker.installation.certificate?.certificate;
  const options = {
    ...{ host: '127.0.0.1', port: broker.port, path, method, agent: false, timeout: timeoutMs },
    ...(ca === undefined ? {} : { ca, servername: 'localhost' }),
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
  };
  const began = performance.now();
  const tookMs = (): number => Math.round(performance.now() - began);
  return new Promise((resolve) => {
    const sent = (ca === undefined ? plain : secure)(options, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      response.on('error', (error: NodeJS.ErrnoException) =>
        resolve({ socket: error.code ?? 'error', tookMs: tookMs() }),
      );
      response.on('end', () => {
        const parsed = parse(text);
        resolve({
          status: response.statusCode ?? 0,
          ...(typeof parsed.code === 'string' ? { code: parsed.code } : {}),
          ...(typeof parsed.detail === 'string' ? { detail: parsed.detail } : {}),
          body: parsed,
          headers: response.headers,
          tookMs: tookMs(),
        });
      });
    });
    sent.on('timeout', () => sent.destroy(Object.assign(new Error('no answer'), { code: 'NO_ANSWER' })));
    sent.on('error', (error: NodeJS.ErrnoException) => resolve({ socket: error.code ?? 'error', tookMs: tookMs() }));
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

function parse(text: string): { readonly [member: string]: unknown } {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

export const COMMANDS = '/v1/switches/sw0/commands';
/** acme binds its own free LD to its own free vPPB, and takes it off again. */
export const bind = { command: 'bind-vppb', params: { vcs_id: 0, vppb_id: 2, physical_port_id: 3, ld_id: 1 } };
export const unbind = { command: 'unbind-vppb', params: { vcs_id: 0, vppb_id: 2, option: 'surprise-hot-remove' } };
export const read = { command: 'get-physical-port-state', params: { port_id_list: [2] } };

export function command(broker: Running, token: string, body: unknown, more: Asked = {}): Promise<Answer> {
  return ask(broker, COMMANDS, { token, body, ...more });
}

/** Clients that bind, unbind and read without pause until told to stop; what each was answered. */
export class Load {
  readonly answers: Answer[] = [];
  #stop = false;
  readonly #clients: readonly Promise<void>[];

  /** @param more clients that read, beside the one that changes */
  constructor(broker: () => Running, token: string, more = 3) {
    const client = async (bodies: readonly unknown[]): Promise<void> => {
      for (let i = 0; !this.#stop; i++) {
        const answer = await command(broker(), token, bodies[i % bodies.length]);
        this.answers.push(answer);
        if (answer.socket !== undefined) await new Promise((done) => setTimeout(done, 20));
      }
    };
    this.#clients = [client([bind, unbind]), ...Array.from({ length: more }, () => client([read]))];
  }

  get served(): number {
    return this.answers.filter(({ status }) => status === 200).length;
  }

  async stop(): Promise<readonly Answer[]> {
    this.#stop = true;
    await Promise.all(this.#clients);
    return this.answers;
  }
}

/** A command that changes something, once what was changed before is over. */
export async function change(broker: Running, token: string, body: unknown): Promise<Answer> {
  for (;;) {
    const answer = await command(broker, token, body);
    if (answer.code !== 'EBUSY') return answer;
    await new Promise((done) => setTimeout(done, 50));
  }
}
