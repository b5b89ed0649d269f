import type { LoadError } from '../../src/policy/load/index.ts';
import { demand } from '../engine/target.ts';

const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

/** Every mistake can be found in its file, and can be printed anywhere. @throws Violation */
export function checkLoadErrors(errors: readonly LoadError[], lineCount: number): void {
  demand(errors.length > 0, 'refused without a reason');
  for (const { code, file, line, column, text, message, help } of errors) {
    demand(line >= 1 && line <= lineCount && column >= 1, `${code} at ${line}:${column} of ${lineCount} lines`);
    demand(message !== '' && help !== '', `${code} says nothing`);
    for (const part of [file, text, message, help])
      demand(!INVISIBLE.test(part), () => `${code}: ${JSON.stringify(part)}`);
  }
}

/** Lines as editors count them. */
export const lineCountOf = (text: string): number => text.split('\n').length;
