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
    try {
      const certificates = await openCertificates(config, log);
      certificates.close();
    } catch (error) {
      if (!(error instanceof LocalError)) throw error;
      problems.push(error.message);
    }
  }
  if (problems.length > 0) {
    const count = problems.length === 1 ? 'one problem' : `${problems.length} problems`;
    throw new LocalError(`\`${file}\` has ${count}`, 'mend what is named above, then look again', problems);
  }
  io.out(`${file} is in order; nothing was started\n${sound.map((line) => `  ${line}\n`).join('')}`);
  return EXIT.done;
}
