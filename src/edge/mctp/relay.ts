/** What goes with a request besides its bytes. */
export interface Asking {
  /** Address and port of the client. */
  readonly source: string;
  /** Thumbprint of the certificate whose key the client proved to have (SHA-256, base64url). */
  readonly certificate?: string;
  /** Aborted when the client has gone: what was not sent to the device yet need not be. */
  readonly gone: AbortSignal;
  /** Milliseconds within which it has to be sent, or be refused. */
  readonly deadlineMs: number;
}

/**
 * Carries a CCI message, header and payload in the specification's form, to whoever decides about it, and brings the
 * reply message back. A refusal is a reply. Rejects where there is nobody to ask.
 */
export type Relay = (message: Uint8Array, asking: Asking) => Promise<Uint8Array>;
