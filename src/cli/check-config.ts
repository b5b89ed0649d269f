import type { BrokerConfig } from '../broker/index.ts';
import { accountOf } from '../sandbox/index.ts';
import { edgeAccount } from './edge-account.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import type { Io } from './io.ts';
import { LocalError } from './usage-error.ts';

/** `cci serve --check-config`: everything that a start would stumble over, and nothing started. */
export async function checkConfiguration(io: Io, file: string): Promise<ExitCode> {
  const [{ checkConfig, silentLog }, { openCertificates }] = await Promise.all([
    import('../broker/index.ts'),
    import('./certificates.ts'),
  ]);
  const log = silentLog();
  const { problems: found, config, sound } = await checkConfig(file, log);
  const problems = [...found];
  if (config !== undefined) {
    const ofCertificates = await problemOf(async () => (await openCertificates(config, log)).close());
    problems.push(...ofCertificates, ...(await problemOf(() => lookAtEdge(config))));
  }
  if (problems.length > 0) {
    const count = problems.length === 1 ? 'one problem' : `${problems.length} problems`;
    throw new LocalError(`\`${file}\` has ${count}`, 'mend what is named above, then look again', problems);
  }
  io.out(`${file} is in order; nothing was started\n${sound.map((line) => `  ${line}\n`).join('')}`);
  return EXIT.done;
}

function lookAtEdge({ edge }: BrokerConfig): void {
  if (edge.process === 'separate') edgeAccount(edge.user, accountOf);
}

/** What a step of the start would say; nothing where it would go on. */
async function problemOf(step: () => unknown): Promise<readonly string[]> {
  try {
    await step();
    return [];
  } catch (error) {
    if (!(error instanceof LocalError)) throw error;
    return [error.message];
  }
}
