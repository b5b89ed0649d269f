import { parseTopology, TopologyError } from '../../src/backend/emulator/index.ts';
import { bytesOf, demand, type Target, textOf } from '../engine/target.ts';
import { checkProblems } from '../support/file-problems.ts';
import { projectFile, withoutComments } from '../support/files.ts';
import { lines, words, yaml } from '../support/text-mutators.ts';

export const target: Target = {
  name: 'emulator-topology',
  oracle:
    'a topology that loads agrees with itself: bindings, devices and upstream ports exist, nothing is bound twice',
  covers: ['src/backend/emulator/topology.ts', 'src/backend/emulator/topology-resolve.ts', 'src/yaml'],
  kind: 'text',
  maxLength: 4000,
  seeds: () =>
    ['small', 'dcd-pool', 'default-32'].map((name) =>
      bytesOf(withoutComments(projectFile(`config/topologies/${name}.yaml`)).slice(0, 4000)),
    ),
  mutators: [yaml, lines, words],
  open: () => ({
    run(bytes) {
      const text = textOf(bytes);
      let topology: ReturnType<typeof parseTopology>;
      try {
        topology = parseTopology(text);
      } catch (error) {
        if (!(error instanceof TopologyError)) throw error;
        checkProblems(error.problems, text);
        return;
      }
      const ports = new Map(topology.ports.map((port) => [port.id, port]));
      demand(ports.size === topology.ports.length, 'a port twice');
      for (const { id, device } of topology.ports) {
        demand(id >= 0 && id <= 255, `port ${id}`);
        demand(device === null || topology.devices[device] !== undefined, `port ${id} has no such device`);
      }
      const bound = new Set<string>();
      for (const { id, usp, vppbs, bindings } of topology.vcss) {
        demand(ports.get(usp)?.role === 'usp', `VCS ${id} hangs on port ${usp}`);
        for (const { vppb, port, ld } of bindings) {
          demand(vppb >= 0 && vppb < vppbs, `vPPB ${vppb} of ${vppbs}`);
          const device = topology.devices[ports.get(port)?.device ?? -1];
          demand(ports.has(port) && ports.get(port)?.role !== 'usp', `bound to port ${port}`);
          demand(ld === null || (device?.allocationBytes.length ?? 0) > ld, `bound to LD ${ld} of port ${port}`);
          const key = `${port}/${ld}`;
          demand(!bound.has(key), `${key} is bound twice`);
          bound.add(key);
        }
      }
    },
  }),
};
