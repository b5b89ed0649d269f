import { finishBackground } from './background.ts';
import { hostAnswers } from './capacity-hosts.ts';
import { linkUp } from './links.ts';
import type { Machine } from './machine.ts';

/** Lets everything happen that is due by now, in order. Called before each command. */
export function advance(machine: Machine): void {
  const nowMs = machine.clockMs();
  for (;;) {
    const timer = machine.state.timers[0];
    if (timer === undefined || timer.atMs > nowMs) break;
    machine.state.timers.shift();
    machine.nowMs = timer.atMs;
    const { event } = timer;
    switch (event.kind) {
      case 'background': {
        const cci = machine.cci(event.cci);
        // An older operation may have been aborted or reset away while its timer was still waiting.
        if (cci.background !== null && cci.background.endMs === timer.atMs) finishBackground(machine, cci);
        break;
      }
      case 'link-up':
        linkUp(machine, event.port, event.training);
        break;
      case 'host-answer':
        hostAnswers(machine, event.device, event.offer);
        break;
    }
  }
  machine.nowMs = nowMs;
}
