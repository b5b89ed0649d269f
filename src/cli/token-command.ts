import { exec } from 'node:child_process';
import { expiryOf, isToken, type TokenSource } from '../edge/index.ts';

/** How long the command may take, and how much it may print. */
const TIMEOUT_MS = 30_000;
const OUTPUT_MAX = 64 * 1024;
/** Before its end a token is fetched anew; a short-lived one after half of its time. */
const EARLY_MS = 60_000;
/** After a failure the command is not run again at once. */
const REST_MS = 1000;

/**
 * A token that a command prints, such as the login helper of an organisation. Run again before the token ends, in the
 * background as long as the one at hand is good.
 *
 * @param onProblem told when the command fails, once until it works again; never what it printed
 */
export class CommandToken implements TokenSource {
  private readonly command: string;
  private readonly onProblem: (text: string) => void;
  private token = '';
  private expiresAtMs = 0;
  private renewAtMs = 0;
  private restUntilMs = 0;
  private running: Promise<string> | undefined;
  private hasProblem = false;

  constructor(command: string, onProblem: (text: string) => void) {
    this.command = command;
    this.onProblem = onProblem;
  }

  current(): string | Promise<string> {
    const nowMs = Date.now();
    if (this.token !== '' && nowMs < this.expiresAtMs) {
      if (nowMs >= this.renewAtMs) void this.renew();
      return this.token;
    }
    return this.renew();
  }

  renew(): Promise<string> {
    if (this.running === undefined && Date.now() < this.restUntilMs) return Promise.resolve(this.token);
    this.running ??= this.run().finally(() => {
      this.running = undefined;
    });
    return this.running;
  }

  private run(): Promise<string> {
    return new Promise((resolve) => {
      exec(this.command, { timeout: TIMEOUT_MS, maxBuffer: OUTPUT_MAX }, (error, stdout) => {
        const token = stdout.trim();
        const nowMs = Date.now();
        if (error !== null || !isToken(token)) {
          if (!this.hasProblem)
            this.onProblem(error === null ? 'prints no token' : `ended with ${error.code ?? 'a signal'}`);
          this.hasProblem = true;
          this.restUntilMs = nowMs + REST_MS;
          resolve(this.token);
          return;
        }
        this.hasProblem = false;
        this.token = token;
        this.expiresAtMs = expiryOf(token) ?? Number.POSITIVE_INFINITY;
        this.renewAtMs = Math.max(this.expiresAtMs - EARLY_MS, (nowMs + this.expiresAtMs) / 2);
        resolve(token);
      });
    });
  }
}
