import { createPrivateKey } from 'node:crypto';
import { join } from 'node:path';
import { type CheckpointSigner, signerOf } from '../../src/broker/journal/index.ts';
import { MemoryFileSystem } from '../../test/broker/journal/memory-file-system.ts';

export const DIRECTORY = '/state/journal';

/** A key made of a fixed seed, so that the same input gives the same journal in every run. PKCS #8 of RFC 8410. */
export function fixedSigner(): CheckpointSigner {
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.alloc(32, 7)]);
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  return signerOf(key.export({ format: 'pem', type: 'pkcs8' }).toString());
}

/** Content of each segment, by its name. */
export type Segments = ReadonlyMap<string, Buffer>;

export function segmentsIn(fileSystem: MemoryFileSystem): Segments {
  const names = fileSystem.names().filter((name) => /^journal-\d+\.jsonl$/.test(name));
  return new Map(names.map((name) => [name, contentOf(fileSystem, name)]));
}

/** The bytes of a file: its text would lose what is no UTF-8. */
export function contentOf(fileSystem: MemoryFileSystem, name: string): Buffer {
  let content = Buffer.alloc(0);
  fileSystem.edit(join(DIRECTORY, name), (data) => {
    content = Buffer.from(data);
    return data;
  });
  return content;
}

export function diskWith(segments: Segments): MemoryFileSystem {
  const fileSystem = new MemoryFileSystem();
  fileSystem.addDirectory(DIRECTORY);
  for (const [name, bytes] of segments) fileSystem.replace(join(DIRECTORY, name), Buffer.from(bytes));
  return fileSystem;
}
