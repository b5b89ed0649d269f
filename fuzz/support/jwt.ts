import type { SeededRandom } from '../../test/cci/seeded-random.ts';
import { bytesOf, type Mutator, textOf } from '../engine/target.ts';
import { json } from './text-mutators.ts';

const encoded = (text: string): string => Buffer.from(text).toString('base64url');

/** A token of header and claims; its signature is some bytes. */
export const tokenOf = (header: unknown, claims: unknown): Uint8Array =>
  bytesOf(
    `${encoded(JSON.stringify(header))}.${encoded(JSON.stringify(claims))}.${encoded('some signature, 64 bytes')}`,
  );

/** Changes the JSON of header or claims inside the token. */
export const insideToken: Mutator = (input, random, other) => {
  const parts = textOf(input).split('.');
  const index = random.below(2);
  const inner = (text: string | undefined): Uint8Array => new Uint8Array(Buffer.from(text ?? '', 'base64url'));
  const changed = json(inner(parts[index]), random, inner(textOf(other).split('.')[index]));
  parts[index] = Buffer.from(changed).toString('base64url');
  return bytesOf(parts.join('.'));
};

/** Swaps a part with that of another token. */
export const swapParts: Mutator = (input: Uint8Array, random: SeededRandom, other: Uint8Array) => {
  const parts = textOf(input).split('.');
  const index = random.below(3);
  parts[index] = textOf(other).split('.')[random.below(3)] ?? '';
  return bytesOf(parts.join('.'));
};
