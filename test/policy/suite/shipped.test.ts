import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadFabric, readPolicy } from '../../../src/policy/index.ts';
import { type CoveredRow, readSuite, review, runSuites } from '../../../src/policy/tools.ts';
import { formatProblem } from '../../../src/yaml/index.ts';
import { opened, shippedFabric } from '../trace/opened.ts';

/** Rows that no case can make decide, and why. */
const undecidable: { readonly [directory: string]: readonly CoveredRow['text'][] } = {
  policies: [],
  // Administrators are readers so that they read should their own row be narrowed; today it gives all that and more.
  'policies-qemu': ['g, role:fabric-admin, role:reader, fabric'],
};

describe.each([
  ['policies', 'config/fabric.yaml'],
  ['policies-qemu', 'config/fabric-qemu.yaml'],
])('the shipped files of %s', (directory, fabricFile) => {
  test('do what their suites say, and every row decides some case', async () => {
    const policy = await opened(directory, shippedFabric(fabricFile));
    const suites = readdirSync(join(directory, 'tests')).map((name) => {
      const file = join(directory, 'tests', name);
      const read = readSuite(readFileSync(file, 'utf8'), file, policy.fabric, policy.commands);
      if (!read.ok) throw new Error(read.problems.map(formatProblem).join('\n'));
      return read.suite;
    });
    const report = await runSuites(policy, suites, { profile: 'host' });
    expect(report.failed.map(({ file, line, name, differences }) => ({ file, line, name, differences }))).toEqual([]);
    expect(report.cases).toBeGreaterThan(20);
    expect(report.coverage.uncovered.map(({ text }) => text)).toEqual(undecidable[directory]);
  });

  test.each(['host', 'bmc'] as const)('leave a reviewer nothing to ask, in profile %s', async (profile) => {
    const text = readFileSync(fabricFile, 'utf8');
    const fabric = loadFabric({ text });
    if (!fabric.ok) throw new Error('the fabric file is wrong');
    const policy = await readPolicy({ directory, fabric: fabric.value, profile });
    if (!policy.ok) throw new Error('the policy is wrong');
    const found = await review({
      policy: policy.value,
      fabric: fabric.value,
      fabricText: { name: fabricFile, text },
      profile,
    });
    expect(found.filter(({ silenced }) => silenced === undefined)).toEqual([]);
  });
});
