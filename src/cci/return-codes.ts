/** Return codes of CXL r3.1 table 8-34 and r3.2. */
export const returnCodes = {
  0: 'success',
  1: 'background-command-started',
  2: 'invalid-input',
  3: 'unsupported',
  4: 'internal-error',
  5: 'retry-required',
  6: 'busy',
  7: 'media-disabled',
  8: 'fw-transfer-in-progress',
  9: 'fw-transfer-out-of-order',
  10: 'fw-verification-failed',
  11: 'invalid-slot',
  12: 'activation-failed-fw-rolled-back',
  13: 'activation-failed-cold-reset-required',
  14: 'invalid-handle',
  15: 'invalid-physical-address',
  16: 'inject-poison-limit-reached',
  17: 'permanent-media-failure',
  18: 'aborted',
  19: 'invalid-security-state',
  20: 'incorrect-passphrase',
  21: 'unsupported-mailbox-or-cci',
  22: 'invalid-payload-length',
  23: 'invalid-log',
  24: 'interrupted',
  25: 'unsupported-feature-version',
  26: 'unsupported-feature-selection-value',
  27: 'feature-transfer-in-progress',
  28: 'feature-transfer-out-of-order',
  29: 'resources-exhausted',
  30: 'invalid-extent-list',
  31: 'transfer-out-of-order',
  32: 'request-abort-background-operation-not-supported',
} as const satisfies Record<number, string>;

export const RC = {
  success: 0x0000,
  backgroundStarted: 0x0001,
  invalidInput: 0x0002,
  unsupported: 0x0003,
  internalError: 0x0004,
  retryRequired: 0x0005,
  busy: 0x0006,
  unsupportedMailboxOrCci: 0x0015,
  invalidPayloadLength: 0x0016,
  invalidLog: 0x0017,
  resourcesExhausted: 0x001d,
} as const;

const names = new Map(Object.entries(returnCodes).map(([code, name]) => [Number(code), name]));

/** Name of a 16-bit return code; a code without a name stays its number (R11: the look-up is bounded). */
export function returnCodeName(code: number): string {
  return names.get(code) ?? `0x${code.toString(16).padStart(4, '0')}`;
}

/** 0000h and 0001h: the command was taken. */
export function isSuccess(code: number): boolean {
  return code === RC.success || code === RC.backgroundStarted;
}
