import { errnoTable } from '../../policy/index.ts';
import type { Refusal, Request, SwitchRuntime } from './context.ts';

/**
 * Waits while the switch is left to somebody beside the broker (a console), as long as the request may wait, or refuses at
 * once: as the configuration says. Nothing about the switch can be read meanwhile, so nothing is decided either.
 */
export async function switchFree(
  request: Request,
  stillValid: () => Promise<boolean>,
  { device }: Pick<SwitchRuntime, 'device'>,
): Promise<Refusal | undefined> {
  if (!device.isHeld) return undefined;
  const failure = await device.untilFree(request);
  if (failure !== undefined) {
    const { errno, text, retryAfterMs, noTurn } = failure;
    return {
      code: errno,
      detail: `the command was not sent: ${text}`,
      returnCode: errnoTable[errno].returnCode,
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      ...(noTurn === undefined ? {} : { limit: noTurn }),
    };
  }
  if (await stillValid()) return undefined;
  const detail = 'the token expired or was revoked while the command waited';
  return { code: 'EAUTH', detail, returnCode: errnoTable.EPERM.returnCode };
}
