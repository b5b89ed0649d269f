/**
 * The signature algorithms that an issuer may be configured with, and the key each one needs. There is no symmetric
 * row and no `none`: whoever could verify with such a key could also sign with it.
 */
export const algorithmTable = [
  { name: 'RS256', kty: 'RSA' },
  { name: 'RS384', kty: 'RSA' },
  { name: 'RS512', kty: 'RSA' },
  { name: 'PS256', kty: 'RSA' },
  { name: 'PS384', kty: 'RSA' },
  { name: 'PS512', kty: 'RSA' },
  { name: 'ES256', kty: 'EC', crv: 'P-256' },
  { name: 'ES384', kty: 'EC', crv: 'P-384' },
  { name: 'ES512', kty: 'EC', crv: 'P-521' },
  // RFC 9864 gave EdDSA over Ed25519 a name of its own; both spellings name the same signature.
  { name: 'EdDSA', kty: 'OKP', crv: 'Ed25519' },
  { name: 'Ed25519', kty: 'OKP', crv: 'Ed25519' },
] as const;

export type Algorithm = (typeof algorithmTable)[number]['name'];
export type KeyType = (typeof algorithmTable)[number]['kty'];

export interface AlgorithmRow {
  readonly name: Algorithm;
  readonly kty: KeyType;
  readonly crv?: string;
}

const rows: ReadonlyMap<string, AlgorithmRow> = new Map(algorithmTable.map((row) => [row.name, row]));

export const algorithms: readonly Algorithm[] = algorithmTable.map((row) => row.name);

/** The row of an algorithm, or undefined for anything that is not an accepted asymmetric one. */
export function algorithmRow(name: unknown): AlgorithmRow | undefined {
  return typeof name === 'string' ? rows.get(name) : undefined;
}

/** True for two names of one signature algorithm. */
export function sameAlgorithm(one: string, other: string): boolean {
  const canonical = (name: string): string => (name === 'Ed25519' ? 'EdDSA' : name);
  return canonical(one) === canonical(other);
}
