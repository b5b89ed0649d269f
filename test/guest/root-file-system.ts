import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { CpioWriter } from './cpio.ts';

export const REPOSITORY = resolve(import.meta.dirname, '../..');

/** Where the guest finds a copy of the repository. */
export const GUEST_REPOSITORY = '/repo';

/** What the broker is, besides its packages. */
const REPOSITORY_PARTS = ['package.json', 'bin', 'src', 'config', 'policies', 'policies-qemu', 'test/guest/inside'];

/**
 * What compiling gave on this machine, by paths relative to the repository: compiling is what costs time in the
 * guest.
 */
export const COMPILED = 'node_modules/.cache/guest';

/** For VFIO: each needs those before it. */
const MODULES = [
  'virt/lib/irqbypass',
  'drivers/vfio/vfio',
  'drivers/vfio/vfio_iommu_type1',
  'drivers/vfio/pci/vfio-pci-core',
  'drivers/vfio/pci/vfio-pci',
] as const;

const INIT = `#!/bin/busybox sh
busybox=/bin/busybox
$busybox mkdir -p /proc /sys /dev /tmp /run /root
$busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t securityfs securityfs /sys/kernel/security
mount -t devtmpfs devtmpfs /dev
mount -t tmpfs tmpfs /tmp
ip link set lo up
export PATH=/bin HOME=/root NODE_COMPILE_CACHE=${GUEST_REPOSITORY}/${COMPILED} NODE_COMPILE_CACHE_PORTABLE=1
node ${GUEST_REPOSITORY}/test/guest/inside/agent.ts
echo "guest: the agent ended with $?"
poweroff -f
`;

export interface RootParts {
  /** Folder of scripts/install-guest.sh. */
  readonly cache: string;
  /** The node program to run in the guest. */
  readonly node: string;
  /** Folder of the development issuer whose tokens the guest's brokers believe. */
  readonly issuer: string;
}

/**
 * Builds the guest's whole root file system: busybox, this Node with the libraries it is linked to, the repository's
 * sources with its production packages, and the kernel's modules for VFIO, whose signatures survive.
 */
export async function buildRoot(target: string, { cache, node, issuer }: RootParts): Promise<void> {
  const archive = await CpioWriter.create(target);
  await archive.folder('bin');
  await archive.file('init', INIT, 0o755);
  await archive.file('bin/busybox', readFileSync(join(cache, 'busybox')), 0o755);
  await archive.file('bin/node', readFileSync(node), 0o755);
  for (const library of librariesOf(node)) {
    await archive.file(library.slice(1), readFileSync(realpathSync(library)), 0o755);
  }
  await addModules(archive, cache);
  const root = GUEST_REPOSITORY.slice(1);
  for (const part of [...REPOSITORY_PARTS, COMPILED, ...productionPackages()])
    await copy(archive, part, `${root}/${part}`);
  for (const [from, to] of machineFiles(issuer)) await copy(archive, from, `guest/${to}`);
  await archive.close();
}

/** What `modprobe vfio-pci` looks for; unpacked, which leaves the signatures as they are. */
async function addModules(archive: CpioWriter, cache: string): Promise<void> {
  const release = /^kernel (\S+)$/m.exec(readFileSync(join(cache, 'complete'), 'utf8'))?.[1];
  const folder = `lib/modules/${release}`;
  const names = MODULES.map((module) => `${module.split('/').at(-1)}.ko`);
  for (const [order, module] of MODULES.entries()) {
    const packed = join(cache, 'kernel/modules/kernel', `${module}.ko.xz`);
    await archive.file(`${folder}/${names[order]}`, execFileSync('xz', ['-dc', packed], { maxBuffer: 1 << 26 }));
  }
  const [wanted, ...needs] = names.toReversed();
  await archive.file(`${folder}/modules.dep`, `${wanted}: ${needs.join(' ')}\n`);
}

/** What the brokers in the guest are configured with. The shipped mandatory rules and model are in force there too. */
function machineFiles(issuer: string): readonly (readonly [from: string, to: string])[] {
  return [
    ['test/guest/machine/broker.yaml', 'broker.yaml'],
    ['test/guest/machine/fabric.yaml', 'fabric.yaml'],
    ['test/guest/machine/tenants', 'policies/tenants'],
    ['policies/model.conf', 'policies/model.conf'],
    ['policies/mandatory.csv', 'policies/mandatory.csv'],
    [issuer, 'issuer'],
  ];
}

/** Absolute paths of the shared libraries and of the loader, as the loader finds them here. */
function librariesOf(program: string): readonly string[] {
  const text = execFileSync('ldd', [program], { encoding: 'utf8' });
  return [...text.matchAll(/(?:=> )?(\/\S+) \(0x/g)].map((match) => match[1] ?? '');
}

/** Folders of the packages that the broker runs with; Node itself is copied alone. */
function productionPackages(): readonly string[] {
  const lock: { packages: { readonly [folder: string]: { readonly dev?: boolean } } } = JSON.parse(
    readFileSync(join(REPOSITORY, 'package-lock.json'), 'utf8'),
  );
  return Object.entries(lock.packages)
    .filter(([folder, { dev }]) => folder !== '' && dev !== true && !folder.startsWith('node_modules/node-linux-'))
    .map(([folder]) => folder)
    .filter((folder) => statSync(join(REPOSITORY, folder), { throwIfNoEntry: false }) !== undefined);
}

/** Nothing that only people or compilers read: the guest holds all of it in its memory. */
const LEFT_OUT = /(\.map|\.d\.ts|\.d\.mts|\.d\.cts|\.md|\.markdown|\.flow)$/;

async function copy(archive: CpioWriter, from: string, to: string): Promise<void> {
  const path = resolve(REPOSITORY, from);
  const stat = statSync(path);
  if (stat.isDirectory()) {
    // Packages inside packages are entries of the lock file by themselves.
    for (const name of readdirSync(path)) {
      if (name !== 'node_modules') await copy(archive, `${from}/${name}`, `${to}/${name}`);
    }
  } else if (stat.isFile() && !LEFT_OUT.test(from)) {
    await archive.file(to, readFileSync(path), stat.mode & 0o777);
  }
}
