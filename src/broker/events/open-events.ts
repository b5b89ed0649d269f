import type { Logger } from 'pino';
import type { PostureRegister } from '../../taint/index.ts';
import type { BrokerConfig } from '../config/index.ts';
import type { Device } from '../device.ts';
import { hostJournalFileSystem } from '../journal/index.ts';
import type { Services } from '../pipeline/context.ts';
import type { SwitchTopology } from '../topology.ts';
import { SwitchEvents } from './switch-events.ts';

/** The events of a switch that is open, as the configuration says. They are drained once `start` is called. */
export function openSwitchEvents(
  name: string,
  config: Pick<BrokerConfig, 'events' | 'stateDirectory'>,
  { journal, policy, metrics }: Pick<Services, 'journal' | 'policy' | 'metrics'>,
  { device, topology, posture }: { device: Device; topology: SwitchTopology; posture: PostureRegister },
  log: Logger,
): Promise<SwitchEvents> {
  return SwitchEvents.open(
    {
      switch: name,
      send: (command) => device.own(command),
      deviceState: () => device.state,
      topology,
      fabric: () => policy.current.fabric,
      journal,
      log,
      nowMs: Date.now,
      onDrained: (eventLog, records, lost) => {
        metrics.events.inc({ switch: name, log: eventLog, end: 'drained' }, records);
        metrics.events.inc({ switch: name, log: eventLog, end: 'lost' }, lost);
      },
      hidesOthers: () => posture.posture().lockdown.effective === 'confidentiality',
    },
    { ...config.events, directory: config.stateDirectory, fileSystem: hostJournalFileSystem },
  );
}
