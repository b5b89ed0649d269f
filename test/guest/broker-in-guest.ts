import type { Caller } from './global-setup.ts';
import type { Guest } from './guest.ts';
import { patience } from './machine.ts';

/** The emulated machine compiles and starts a broker in 10 to 20 s on a quiet host. */
const START_LIMIT_MS = 90_000 * patience;

export interface Answer {
  /** HTTP status. */
  readonly status: number;
  readonly body: { readonly [key: string]: unknown };
}

/** A real broker, `cci serve`, in the guest. */
export class BrokerInGuest {
  readonly #guest: Guest;
  readonly #name: string;
  readonly #port: number;
  readonly #tokens: { readonly [C in Caller]: string };

  private constructor(guest: Guest, name: string, port: number, tokens: { readonly [C in Caller]: string }) {
    this.#guest = guest;
    this.#name = name;
    this.#port = port;
    this.#tokens = tokens;
  }

  get state(): string {
    return `/state/${this.#name}`;
  }

  /**
   * Starts one, with a state directory of its own unless it has one already from a life before.
   *
   * @param transport kind of the backend
   */
  static async begin(
    guest: Guest,
    options: { readonly name: string; readonly port: number; readonly transport: 'sysfs' | 'vfio' },
    tokens: { readonly [C in Caller]: string },
  ): Promise<BrokerInGuest> {
    const { name, port, transport } = options;
    const state = `/state/${name}`;
    const config = `/guest/${name}.yaml`;
    await guest.sh(
      `mkdir -p ${state}; [ -d ${state}/issuer ] || cp -r /guest/issuer ${state}/; chmod 700 ${state} ${state}/issuer; ` +
        `sed 's|TRANSPORT|${transport}|; s|port: PORT|port: ${port}|; s|STATE|${state}|' /guest/broker.yaml >${config}`,
    );
    await guest.start(name, ['node', 'bin/cci.js', 'serve', '--config', config]);
    return new BrokerInGuest(guest, name, port, tokens);
  }

  /** Waits until it serves. @returns what it printed */
  serves(): Promise<string> {
    return this.#guest.printed(this.#name, /listening/, START_LIMIT_MS);
  }

  /** Waits until it has ended. @returns how, and what it printed */
  ended(): Promise<{ readonly how: string; readonly output: string }> {
    return this.#guest.ended(this.#name, START_LIMIT_MS);
  }

  /** What it printed so far. */
  async output(): Promise<string> {
    return (await this.#guest.output(this.#name)).output;
  }

  async kill(signal: NodeJS.Signals): Promise<string> {
    await this.#guest.kill(this.#name, signal);
    return (await this.#guest.ended(this.#name, START_LIMIT_MS)).how;
  }

  /** A command by its name. */
  run(caller: Caller, command: string, params: object = {}, via?: string): Promise<Answer> {
    return this.#post(caller, 'commands', { command, params, ...(via === undefined ? {} : { via }) });
  }

  /** A command by the raw path. */
  raw(caller: Caller, opcode: number, payload = ''): Promise<Answer> {
    return this.#post(caller, 'commands', { raw: { opcode, payload } });
  }

  async get(caller: Caller, path: string): Promise<Answer> {
    return this.#fetch('GET', path, caller);
  }

  /** The device worker's process id. */
  async worker(): Promise<number> {
    const text = await this.#guest.sh(
      "grep -ls '[b]ackend/worker/main' /proc/[0-9]*/cmdline | sed 's|[^0-9]||g'; true",
    );
    const pids = text.split('\n').map(Number);
    const [pid] = pids;
    if (pid === undefined || pids.length !== 1) throw new Error(`device workers: ${text}`);
    return pid;
  }

  /** Its journal, oldest record first. */
  async journal(): Promise<readonly { readonly [key: string]: unknown }[]> {
    const text = await this.#guest.sh(`cat $(find ${this.state} -name '*.jsonl' | sort)`);
    return text.split('\n').map((line) => JSON.parse(line) as { readonly [key: string]: unknown });
  }

  #post(caller: Caller, path: string, body: object): Promise<Answer> {
    return this.#fetch('POST', `/v1/switches/sw0/${path}`, caller, JSON.stringify(body));
  }

  async #fetch(method: string, path: string, caller: Caller, body?: string): Promise<Answer> {
    const response = await this.#guest.fetch({
      method,
      url: `http://127.0.0.1:${this.#port}${path}`,
      headers: {
        authorization: `Bearer ${this.#tokens[caller]}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body }),
    });
    return { status: response.status, body: JSON.parse(response.body) as Answer['body'] };
  }
}
