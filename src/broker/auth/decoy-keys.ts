import { algorithms } from './algorithms.ts';
import { KeySet, readKeySet } from './key-set.ts';

/**
 * Public keys that nobody has the other half of any more. A token that there is no key for is held against one of these,
 * so that it costs the same work as a badly signed one. INVARIANT: nothing is ever believed for their sake.
 */
const jwks = {
  keys: [
    {
      kty: 'RSA',
      n: 'lgtirf2AJ-FU_fTRKO2jITetdE3CLJH0-nyCcEYaTq8KGvFQph9BOxU15aZjIG6LHMp1Qq4qZpmsIpLPJMSpgP3c3BGPNcdz2_U3si7Yu_ukpo2IB2fsYAbMYU08OmJZWV_xyaCCbu2qb7jGueztI5FxRO7PLEAbkOG4ld4nU1qdUFistLT6asTLT-9XMCo_N1mf_F356kHMEj83kd1buzvMwtSI1j4QRkSqUMLL0EwNSSjB-lvsbXkIHX_1P42q50EQWY_hEB7um7XQ47df68YKindfyIAAk2pi0TSqHmqPt1LVaecgSvJOikN0_GsL51w_c3cR8husSCbCKfUJnw',
      e: 'AQAB',
    },
    {
      kty: 'EC',
      crv: 'P-256',
      x: 'lr2765NVL5KAqp5oq3QuU1qB8Bmby5bvEvkEpWRydsM',
      y: 'kcBaQwvpMtNhB3MRCnzDbpjC80jNTR_I-pcBhGeHO7A',
    },
    {
      kty: 'EC',
      crv: 'P-384',
      x: 'SZEQZ2ZVZYfPLqSZ5_AVyB_X9snU0klSIOvBYt5a-QE8m_TiH992XnRksBkTa7Fn',
      y: '6JB2Me3p4iU1D1LsaNxtDlnYqmvokJCH-AP55DGIK_yt8eMDsU5_WjOulo4dyadJ',
    },
    {
      kty: 'EC',
      crv: 'P-521',
      x: 'ANJcSv8sZhs6SvTMN4J8ugZYD2-NFP8d0L1uLmIEsCiZyD2WVli-Nx-WZYeNJkkJNuVJVgAoNsOMU2uEjfp2d3mG',
      y: 'AYKWG7Q9sOFgUcPQCFVE7anFubi7b_hdZsoma-qmfTm2WkDDX2I4n1wz0kMjzNBArRKMR9CJwZ7zCBFzkKsKJDxO',
    },
    { kty: 'OKP', crv: 'Ed25519', x: 'Ih9-eGnSvqHXQk3rOXjwFsjddQi8humMTc5bnDKpPXE' },
  ],
} as const;

/** A key for each algorithm that there is. */
export async function decoyKeys(): Promise<KeySet> {
  const read = await readKeySet(Buffer.from(JSON.stringify(jwks)), algorithms);
  return read.ok ? read.value.keys : new KeySet([]);
}
