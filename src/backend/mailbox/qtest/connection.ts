import type { Socket } from 'node:net';

/** Longest line of an answer in bytes; the longest we ever ask for is 21. */
const LINE_LIMIT = 1024;

interface Pending {
  readonly resolve: (answer: string) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Client side of QEMU's qtest line protocol over a connected socket.
 *
 * One line per request, one `OK` line per request, in order; lines that start with `IRQ` are notices and are skipped.
 * Anything else ends the connection: after one wrong answer no later one can be matched to its request. Requests may
 * be sent ahead of their answers.
 */
export class QtestConnection {
  readonly #socket: Socket;
  readonly #explain: () => Promise<string>;
  readonly #pending: Pending[] = [];
  #partial = '';
  #dead: Error | undefined;

  /** @param explain called once when the other side is gone; what it resolves to is added to the error message */
  constructor(socket: Socket, explain: () => Promise<string> = async () => '') {
    this.#socket = socket;
    this.#explain = explain;
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => this.#receive(text));
    socket.on('error', (error) => this.#fail(`the qtest socket failed: ${error.message}`));
    socket.on('close', () => this.#fail('the qtest socket was closed by QEMU'));
  }

  /** Ends the connection; pending requests reject with `reason`. */
  close(reason = 'the qtest connection was closed'): void {
    this.#end(new Error(reason));
  }

  /** Sends several requests at once. @returns what follows `OK` in each answer, in the order of the requests */
  requestAll(lines: readonly string[]): Promise<string[]> {
    if (this.#dead !== undefined) return Promise.reject(this.#dead);
    if (lines.length === 0) return Promise.resolve([]);
    const answers = lines.map(() => new Promise<string>((resolve, reject) => this.#pending.push({ resolve, reject })));
    this.#socket.write(`${lines.join('\n')}\n`, 'latin1');
    return Promise.all(answers);
  }

  /** One 4-byte load at a physical address. */
  async readl(address: number): Promise<number> {
    const [value] = await this.readlAll([address]);
    return value ?? this.#refuse('no answer');
  }

  /** 4-byte loads in the order given, sent together. */
  async readlAll(addresses: readonly number[]): Promise<number[]> {
    const answers = await this.requestAll(addresses.map((address) => `readl ${hex(address)}`));
    return answers.map((answer) => Number(this.#value(answer, 32)));
  }

  /** One 8-byte load. */
  async readq(address: number): Promise<bigint> {
    const [answer] = await this.requestAll([`readq ${hex(address)}`]);
    return this.#value(answer ?? '', 64);
  }

  /** One 4-byte store. */
  writel(address: number, value: number): Promise<void> {
    return this.writelAll([[address, value]]);
  }

  /** 4-byte stores in the order given, sent together. */
  async writelAll(stores: readonly (readonly [address: number, value: number])[]): Promise<void> {
    this.#expectNothing(await this.requestAll(stores.map(([at, value]) => `writel ${hex(at)} ${hex(value)}`)));
  }

  /** One 8-byte store. */
  async writeq(address: number, value: bigint): Promise<void> {
    this.#expectNothing(await this.requestAll([`writeq ${hex(address)} 0x${value.toString(16)}`]));
  }

  /**
   * 32-bit port pairs: each `select` value goes to port `selectPort`, then port `dataPort` is read.
   * All are sent together, so nothing comes between a select and its data.
   */
  async readIndexed(selectPort: number, dataPort: number, selects: readonly number[]): Promise<number[]> {
    const lines = selects.flatMap((select) => [`outl ${hex(selectPort)} ${hex(select)}`, `inl ${hex(dataPort)}`]);
    const answers = await this.requestAll(lines);
    this.#expectNothing(answers.filter((_, index) => index % 2 === 0));
    return answers.filter((_, index) => index % 2 === 1).map((answer) => Number(this.#value(answer, 32)));
  }

  /** As `readIndexed`, but stores `value` to the data port. */
  async writeIndexed(selectPort: number, dataPort: number, select: number, value: number): Promise<void> {
    const lines = [`outl ${hex(selectPort)} ${hex(select)}`, `outl ${hex(dataPort)} ${hex(value)}`];
    this.#expectNothing(await this.requestAll(lines));
  }

  #receive(text: string): void {
    if (this.#dead !== undefined) return;
    const lines = (this.#partial + text).split('\n');
    this.#partial = lines.pop() ?? '';
    for (const line of lines) {
      this.#answer(line.endsWith('\r') ? line.slice(0, -1) : line);
      if (this.#dead !== undefined) return;
    }
    if (this.#partial.length > LINE_LIMIT) this.#end(new Error('QEMU sent a qtest line that does not end'));
  }

  #answer(line: string): void {
    if (line.length > LINE_LIMIT) this.#end(new Error('QEMU sent a qtest line that is too long'));
    else if (!line.startsWith('IRQ ')) this.#settle(line);
  }

  #settle(line: string): void {
    const isOk = line === 'OK' || line.startsWith('OK ');
    const pending = isOk ? this.#pending.shift() : undefined;
    if (pending !== undefined) pending.resolve(line.slice(3));
    else if (isOk) this.#end(new Error(`QEMU sent a qtest answer nobody asked for: ${show(line)}`));
    else this.#end(new Error(`QEMU refused a qtest request: ${show(line)}`));
  }

  #value(answer: string, width: 32 | 64): bigint {
    if (!/^0x[0-9a-fA-F]{1,16}$/.test(answer)) return this.#refuse(`not a number: ${show(answer)}`);
    const value = BigInt(answer);
    return width === 32 && value > 0xffff_ffffn ? this.#refuse(`over 32 bits: ${show(answer)}`) : value;
  }

  #expectNothing(answers: readonly string[]): void {
    const extra = answers.find((answer) => answer !== '');
    if (extra !== undefined) this.#refuse(`a value after a store: ${show(extra)}`);
  }

  /** An answer of the wrong form means that we no longer know which request it belongs to. */
  #refuse(what: string): never {
    const error = new Error(`QEMU sent a qtest answer of the wrong form: ${what}`);
    this.#end(error);
    throw error;
  }

  /** The other side is gone. The reason may take a moment to be known: QEMU's last words come after its socket closes. */
  #fail(message: string): void {
    if (this.#dead !== undefined) return;
    this.#dead = new Error(message);
    const pending = this.#pending.splice(0);
    this.#socket.destroy();
    void this.#explain()
      .catch(() => '')
      .then((words) => {
        const error = words === '' ? new Error(message) : new Error(`${message}; ${words}`);
        this.#dead = error;
        for (const { reject } of pending) reject(error);
      });
  }

  #end(error: Error): void {
    if (this.#dead !== undefined) return;
    this.#dead = error;
    this.#socket.destroy();
    for (const { reject } of this.#pending.splice(0)) reject(error);
  }
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

/** Text from the other side for an error message: printable and short. */
function show(line: string): string {
  return `\`${line.slice(0, 80).replace(/[^ -~]/g, '?')}\``;
}
