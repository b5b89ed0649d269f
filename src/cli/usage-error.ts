/** The command line is wrong; nothing was done. */
export class UsageError extends Error {
  /** What to do about it. */
  readonly next: string;
  constructor(message: string, next: string) {
    super(message);
    this.name = 'UsageError';
    this.next = next;
  }
}

/** Something on this machine is in the way: a file, a configuration, the audit journal. */
export class LocalError extends Error {
  /** What to do about it. */
  readonly next: string;
  /** One line each. */
  readonly details: readonly string[];
  constructor(message: string, next: string, details: readonly string[] = []) {
    super(message);
    this.name = 'LocalError';
    this.next = next;
    // A problem of a policy file has lines of its own: what to write instead.
    this.details = details.flatMap((detail) => detail.split('\n'));
  }
}
