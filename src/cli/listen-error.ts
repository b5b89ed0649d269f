import { LocalError } from './usage-error.ts';

/** An address that cannot be listened on. @param why what the system says */
export function listenError(door: 'http' | 'mctp', where: string, why: string): LocalError {
  if (door === 'mctp') {
    return new LocalError(
      `cannot listen at ${where} for MCTP (${why})`,
      'name another address under `listeners` of the configuration',
    );
  }
  if (why === 'EADDRINUSE') {
    return new LocalError(`something listens at ${where} already`, 'end it, or take another port with --port');
  }
  return new LocalError(`cannot listen at ${where} (${why})`, 'name another address in the configuration');
}
