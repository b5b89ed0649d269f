import type { CommonFlags } from '../connection.ts';
import type { ExitCode } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { showLockdown, showTaint } from '../posture.ts';
import { UsageError } from '../usage-error.ts';
import { showLds } from './lds.ts';
import { showCommands, showOperations } from './lists.ts';
import { showPorts } from './ports.ts';
import { showSwitch } from './switch.ts';
import { showVcs } from './vcs.ts';

const VIEWS: { readonly [view: string]: (io: Io, flags: CommonFlags) => Promise<ExitCode> } = {
  switch: showSwitch,
  ports: showPorts,
  vcs: showVcs,
  lds: showLds,
  commands: showCommands,
  taint: showTaint,
  lockdown: showLockdown,
  operations: showOperations,
};

/** `cci show VIEW` */
export async function show(io: Io, view: string, flags: CommonFlags): Promise<ExitCode> {
  const chosen = Object.hasOwn(VIEWS, view) ? VIEWS[view] : undefined;
  if (chosen === undefined) {
    throw new UsageError(`there is no view \`${view}\``, `give one of ${Object.keys(VIEWS).join(', ')}`);
  }
  return chosen(io, flags);
}
