import { hash } from 'node:crypto';
import { RevocationList, RevocationsDamaged } from '../../src/broker/auth/revocation-list.ts';
import type { Revoked } from '../../src/broker/auth/revocations.ts';
import { StateFile } from '../../src/broker/state-file.ts';
import type { Principal } from '../../src/policy/index.ts';
import { bytesOf, demand, type Target, textOf } from '../engine/target.ts';
import { mendChecksum } from '../support/checksum.ts';
import { memoryFiles } from '../support/memory-files.ts';
import { json, words } from '../support/text-mutators.ts';

const PATH = '/state/revocations.json';
const FORMAT = 'switch-cci-revocations';
const NOW_MS = 1_800_000_000_000;
const entry = { id: '01234567-89ab-cdef-0123-456789abcdef', by: 'user:x#y', atMs: 1, reason: 'stolen' };
const kinds: readonly Revoked[] = [
  { kind: 'token', tokenId: 'jti:x#1' },
  { kind: 'principal', name: 'user:x#alice' },
  { kind: 'tenant', tenant: 'acme' },
  { kind: 'key', thumbprint: 'T'.repeat(43) },
];

function fileOf(state: unknown): Uint8Array {
  const sha256 = hash('sha256', JSON.stringify(state) ?? '');
  return bytesOf(JSON.stringify({ format: FORMAT, version: 1, sha256, state }));
}

/** Somebody whom exactly this revocation is about. */
function subjectOf(what: Revoked): Parameters<RevocationList['isRevoked']> {
  const principal = {
    name: what.kind === 'principal' ? what.name : 'user:other#other',
    tenant: what.kind === 'tenant' ? what.tenant : 'other',
    tokenId: what.kind === 'token' ? what.tokenId : 'jti:other#other',
  };
  const keyThumbprint = what.kind === 'key' ? what.thumbprint : 'other';
  return [principal as Principal, { keyThumbprint, issuedAtMs: undefined }];
}

export const target: Target = {
  name: 'revocation-list',
  oracle:
    'a file that is not wholly right keeps the broker from starting; of one that is, every revocation in force holds',
  covers: ['src/broker/auth/revocation-list.ts', 'src/broker/auth/revocations.ts', 'src/broker/state-file.ts'],
  kind: 'text',
  maxLength: 2500,
  seeds: () => [
    fileOf({ entries: [] }),
    fileOf({ entries: kinds.map((what, i) => ({ ...entry, id: entry.id.replace('f', String(i)), what })) }),
    fileOf({
      entries: [
        { ...entry, what: kinds[2], expiresAtMs: 5 },
        { ...entry, what: kinds[0], expiresAtMs: 2e12 },
      ],
    }),
  ],
  mutators: [json, json, words],
  mend: mendChecksum,
  open: () => ({
    async run(bytes) {
      const files = new Map([[PATH, textOf(bytes)]]);
      const file = new StateFile(PATH, FORMAT, 1, memoryFiles(files));
      const options = { path: PATH, nowMs: () => NOW_MS, file };
      const list = await RevocationList.open(options).catch((error: unknown) => {
        demand(error instanceof RevocationsDamaged, () => `not refused but failed: ${String(error)}`);
        return undefined;
      });
      if (list === undefined) return;
      const inFile = JSON.parse(textOf(bytes)) as { state: { entries: { what: Revoked; expiresAtMs?: number }[] } };
      for (const { what, expiresAtMs } of inFile.state.entries) {
        if (expiresAtMs !== undefined && expiresAtMs <= NOW_MS) continue;
        demand(list.isRevoked(...subjectOf(what)), () => `${JSON.stringify(what)} counts although it is revoked`);
      }
      const added = list.add({ kind: 'tenant', tenant: 'globex' }, 'x', 'y');
      await list.save();
      const again = await RevocationList.open(options);
      demand(added !== undefined && again.list().length === list.list().length, 'what was saved is not what is read');
    },
  }),
};
