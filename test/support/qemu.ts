import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';

/** A QEMU that emulates the Switch CCI, or why there is none. */
export type QemuFinding = { readonly binary: string; readonly version: string } | { readonly missing: string };

const BINARY = 'qemu-system-x86_64';
const MAJOR_MIN = 10;
const DEVICE = 'cxl-switch-mailbox-cci';

let finding: QemuFinding | undefined;

/** Looks once per process for a QEMU new enough and built with the Switch CCI. */
export function findQemu(): QemuFinding {
  finding ??= look();
  return finding;
}

/** CI says by this variable that a missing QEMU is a failure and not a reason to skip. */
export function isQemuRequired(): boolean {
  return process.env.CI_REQUIRE_QEMU === '1';
}

/**
 * A suite that needs real QEMU. Without one it becomes a single test whose name says what is missing: skipped, or
 * failed where CI demands QEMU.
 */
export function describeWithQemu(
  title: string,
  body: (qemu: { readonly binary: string; readonly version: string }) => void,
): void {
  const qemu = findQemu();
  if ('missing' in qemu) {
    test.skipIf(!isQemuRequired())(`${title} (needs QEMU: ${qemu.missing}; see scripts/install-qemu.sh)`, () => {
      expect.fail(`CI_REQUIRE_QEMU=1, but ${qemu.missing}`);
    });
    return;
  }
  describe(`${title} (QEMU ${qemu.version})`, () => body(qemu));
}

function look(): QemuFinding {
  const version = run(['--version']);
  if (version === undefined) return { missing: `no \`${BINARY}\` that runs` };
  const found = /version (\d+)\.(\d+)(?:\.(\d+))?/.exec(version);
  if (found === null) return { missing: `\`${BINARY} --version\` says no version` };
  const text = found[0].slice('version '.length);
  if (Number(found[1]) < MAJOR_MIN) return { missing: `QEMU ${text} is older than ${MAJOR_MIN}` };
  if (!(run(['-device', 'help']) ?? '').includes(`"${DEVICE}"`)) return { missing: `QEMU ${text} has no ${DEVICE}` };
  return { binary: BINARY, version: text };
}

function run(args: string[]): string | undefined {
  const { status, stdout } = spawnSync(BINARY, args, { encoding: 'utf8', timeout: 10_000 });
  return status === 0 ? stdout : undefined;
}
