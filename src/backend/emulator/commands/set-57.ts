import { type Command, command, done } from '../command.ts';

/** Command set 57h: PBR Switch. Only Identify has bytes that two sources agree on. */
export const set57: readonly Command[] = [
  command('identify-pbr-switch', () =>
    done({
      gae_map: [],
      number_of_drts: 1,
      number_of_rgts: 1,
      supported_routing_modes: {
        random: true,
        congestion_avoidance: false,
        advanced_congestion_avoidance: false,
        vendor_specific: 0,
      },
    }),
  ),
];
