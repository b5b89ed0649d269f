import type { Decided, Request, Services } from './context.ts';
import { raiseTaints } from './decide.ts';

/** An outcome that cannot be written down is a gap in the journal: taint A. */
export async function leaveGap(
  services: Services,
  request: Request,
  { runtime, principal }: Pick<Decided, 'runtime' | 'principal'>,
  error: unknown,
): Promise<void> {
  const { log } = services;
  log.error({ requestId: request.id, err: error }, 'an outcome could not be recorded');
  await raiseTaints(runtime, principal, request, [
    { letter: 'A', scope: `/switches/${runtime.name}`, reason: 'an outcome could not be recorded' },
  ]).catch((failure: unknown) => log.error({ err: failure }, 'nor could the taint'));
}
