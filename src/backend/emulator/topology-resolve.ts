import { fromHex } from '../../cci/index.ts';
import type { FilePath } from '../../yaml/index.ts';
import type {
  BindingSpec,
  DeviceSpec,
  DynamicCapacitySpec,
  PciIdentity,
  PortSpec,
  Report,
  Topology,
  VcsSpec,
} from './topology.ts';
import type { DeviceFile, TopologyFile } from './topology-schema.ts';
import type { VendorCommandSpec } from './vendor-commands.ts';

const UNITS = { KiB: 1n << 10n, MiB: 1n << 20n, GiB: 1n << 30n, TiB: 1n << 40n } as const;
const SPEEDS = ['2.5-gt', '5-gt', '8-gt', '16-gt', '32-gt', '64-gt'];
const GRANULES = { '256-mib': 1n << 28n, '512-mib': 1n << 29n, '1-gib': 1n << 30n } as const;
/** Capacities of devices are counted in units of 256 MiB on the wire (4000h, 4100h). */
const CAPACITY_UNIT = 1n << 28n;
const MAX_LSA = 1n << 20n;

/** Bytes of one allocation unit of an MLD. */
export function granuleBytes(granularity: DeviceSpec['granularity']): bigint {
  return GRANULES[granularity];
}

function bytesOf(text: string): bigint {
  const unit = text.slice(-3);
  return BigInt(text.slice(0, -3)) * (unit in UNITS ? UNITS[unit as keyof typeof UNITS] : 1n);
}

/** Ids of `7` or `8-31`, undefined where the range runs backwards or past 255. */
function idsOf(ids: number | string): readonly number[] | undefined {
  if (typeof ids === 'number') return [ids];
  const [first = 0, last = 0] = ids.split('-').map(Number);
  return first > last || last > 255 ? undefined : Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

/** Writes ranges and defaults out, and reports whatever a schema cannot see. */
export function resolveTopology(file: TopologyFile, report: Report): Topology {
  const devices: DeviceSpec[] = [];
  const ports = resolvePorts(file, devices, report);
  const vcss = resolveVcss(file, ports, devices, report);
  checkSerials(file, devices, report);
  if (!ports.some((port) => port.id === (file.switch.ingress_port ?? 0))) {
    report(['switch', 'ingress_port'], '`switch.ingress_port` is not a port of this switch');
  }
  return {
    switch: {
      ...identityOf(file.switch, 0x0001),
      serial: BigInt(file.switch.serial),
      ingressPort: file.switch.ingress_port ?? 0,
      hdmDecoders: file.switch.hdm_decoders ?? 4,
      pbr: file.switch.pbr ?? false,
    },
    behaviour: file.behaviour ?? {},
    devices,
    ports,
    vcss,
    ...(file.vendor_commands === undefined ? {} : { vendorCommands: resolveVendorCommands(file, report) }),
  };
}

function resolveVendorCommands(file: TopologyFile, report: Report): readonly VendorCommandSpec[] {
  const seen = new Set<string>();
  return (file.vendor_commands ?? []).map((command, i): VendorCommandSpec => {
    if (seen.has(command.opcode)) report(['vendor_commands', i, 'opcode'], `\`${command.opcode}\` stands twice`);
    seen.add(command.opcode);
    const { reply = '' } = command;
    return {
      opcode: Number(command.opcode),
      on: command.on ?? ['switch'],
      effects: command.effects ?? 0,
      returnCode: command.return_code ?? 0,
      ...(command.request_bytes === undefined ? {} : { requestBytes: command.request_bytes }),
      reply: reply === 'echo' ? reply : (fromHex(reply) ?? new Uint8Array(0)),
    };
  });
}

function identityOf(
  given: {
    readonly vendor_id?: number;
    readonly device_id?: number;
    readonly subsystem_vendor_id?: number;
    readonly subsystem_id?: number;
  },
  deviceId: number,
): PciIdentity {
  return {
    vendorId: given.vendor_id ?? 0x1e98,
    deviceId: given.device_id ?? deviceId,
    subsystemVendorId: given.subsystem_vendor_id ?? 0,
    subsystemId: given.subsystem_id ?? 0,
  };
}

function resolvePorts(file: TopologyFile, devices: DeviceSpec[], report: Report): PortSpec[] {
  const ports: PortSpec[] = [];
  const uses = new Map<string, { readonly index: number; readonly heads: Set<number> }>();
  const copies = new Map<string, number>();
  file.ports.forEach((group, at) => {
    const ids = idsOf(group.ids);
    if (ids === undefined) {
      report(['ports', at, 'ids'], `\`${group.ids}\` is not a range of ids 0 to 255`);
      return;
    }
    for (const id of ids) {
      if (ports.some((port) => port.id === id)) report(['ports', at, 'ids'], `port \`${id}\` is described twice`);
      const device = plug(file, group, at, devices, uses, copies, report);
      const maximumWidth = group.maximum_width ?? 16;
      ports.push({
        id,
        role: group.role,
        device,
        head: group.head ?? 0,
        maximumWidth,
        negotiatedWidth: Math.min(group.negotiated_width ?? 8, maximumWidth),
        maximumSpeed: SPEEDS.indexOf(group.maximum_speed ?? '32-gt') + 1,
      });
    }
  });
  return ports.sort((a, b) => a.id - b.id);
}

/** The device of one port. A device of several heads is one device; any other is a pattern, copied for each port. */
function plug(
  file: TopologyFile,
  group: TopologyFile['ports'][number],
  at: number,
  devices: DeviceSpec[],
  uses: Map<string, { readonly index: number; readonly heads: Set<number> }>,
  copies: Map<string, number>,
  report: Report,
): number | null {
  const name = group.device;
  if (name === undefined) return null;
  const where: FilePath = ['ports', at, 'device'];
  const found = file.devices !== undefined && Object.hasOwn(file.devices, name) ? file.devices[name] : undefined;
  if (found === undefined) {
    report(where, `there is no device \`${name}\``);
    return null;
  }
  if (group.role !== 'dsp') report(where, `a device is plugged into a \`${group.role}\` port`);
  const heads = found.heads ?? 1;
  const head = group.head ?? 0;
  if (head >= heads) report(['ports', at, 'head'], `device \`${name}\` has ${heads} head(s), no head \`${head}\``);
  const shared = uses.get(name);
  if (heads > 1 && shared !== undefined) {
    if (shared.heads.has(head)) report(where, `head \`${head}\` of \`${name}\` is plugged in twice`);
    shared.heads.add(head);
    return shared.index;
  }
  const copy = copies.get(name) ?? 0;
  copies.set(name, copy + 1);
  devices.push(resolveDevice(name, found, copy, report));
  if (heads > 1) uses.set(name, { index: devices.length - 1, heads: new Set([head]) });
  return devices.length - 1;
}

function resolveDevice(name: string, file: DeviceFile, copy: number, report: Report): DeviceSpec {
  const where = ['devices', name];
  const capacityBytes = bytesOf(file.capacity);
  const persistentBytes = bytesOf(file.persistent ?? '0KiB');
  const granularity = file.granularity ?? '256-mib';
  const lsa = bytesOf(file.lsa_size ?? '64KiB');
  for (const [key, value] of [
    ['capacity', capacityBytes],
    ['persistent', persistentBytes],
  ] as const) {
    if (value % CAPACITY_UNIT !== 0n) report([...where, key], `\`${key}\` must be a multiple of 256MiB`);
  }
  if (persistentBytes > capacityBytes) report([...where, 'persistent'], '`persistent` is more than `capacity`');
  if (lsa > MAX_LSA) report([...where, 'lsa_size'], '`lsa_size` is at most 1024KiB');
  return {
    ...identityOf(file, 0x0d93),
    name: copy === 0 ? name : `${name}-${copy}`,
    kind: file.kind,
    serial: BigInt(file.serial) + BigInt(copy),
    capacityBytes,
    persistentBytes,
    granularity,
    allocationBytes: allocationsOf(name, file, capacityBytes, report),
    heads: file.heads ?? 1,
    lsaBytes: Number(lsa),
    dynamicCapacity: file.dynamic_capacity === undefined ? null : dynamicOf(name, file.dynamic_capacity, report),
  };
}

function allocationsOf(name: string, file: DeviceFile, capacity: bigint, report: Report): readonly bigint[] {
  const where = ['devices', name];
  if (file.kind === 'sld') {
    for (const key of ['lds', 'allocations', 'granularity'] as const) {
      if (file[key] !== undefined) report([...where, key], `an sld has no \`${key}\``);
    }
    return [];
  }
  const granule = granuleBytes(file.granularity ?? '256-mib');
  const lds = file.lds ?? file.allocations?.length ?? 4;
  const equal = (capacity / BigInt(lds) / granule) * granule;
  const given = file.allocations?.map(bytesOf) ?? Array.from({ length: lds }, () => equal);
  if (given.length !== lds) report([...where, 'allocations'], `${lds} LDs have ${given.length} allocations`);
  if (given.some((bytes) => bytes % granule !== 0n)) {
    report([...where, 'allocations'], 'an allocation is not a multiple of the granularity');
  }
  if (given.reduce((sum, bytes) => sum + bytes, 0n) > capacity) {
    report([...where, 'allocations'], 'the allocations are more than `capacity`');
  }
  return given;
}

function dynamicOf(
  name: string,
  file: NonNullable<DeviceFile['dynamic_capacity']>,
  report: Report,
): DynamicCapacitySpec {
  const regions = file.regions.map((region, i) => {
    const sizeBytes = bytesOf(region.size);
    const blockBytes = bytesOf(region.block_size ?? '2MiB');
    const where = ['devices', name, 'dynamic_capacity', 'regions', i];
    if ((blockBytes & (blockBytes - 1n)) !== 0n || blockBytes < 64n) {
      report([...where, 'block_size'], '`block_size` must be a power of two');
    }
    if (sizeBytes % CAPACITY_UNIT !== 0n) report([...where, 'size'], '`size` must be a multiple of 256MiB');
    return {
      sizeBytes,
      blockBytes,
      sharable: region.sharable ?? false,
      sanitizeOnRelease: region.sanitize_on_release ?? false,
    };
  });
  return {
    hosts: file.hosts,
    regions,
    extents: file.extents ?? 512,
    tags: file.tags ?? 64,
    hostAnswer: file.host_answer ?? 'accept',
  };
}

function resolveVcss(
  file: TopologyFile,
  ports: readonly PortSpec[],
  devices: readonly DeviceSpec[],
  report: Report,
): VcsSpec[] {
  const vcss: VcsSpec[] = [];
  const taken = new Set<string>();
  (file.vcss ?? []).forEach((group, at) => {
    const ids = idsOf(group.ids);
    if (ids === undefined) {
      report(['vcss', at, 'ids'], `\`${group.ids}\` is not a range of ids 0 to 255`);
      return;
    }
    ids.forEach((id, i) => {
      const usp = group.usp + i;
      if (vcss.some((vcs) => vcs.id === id)) report(['vcss', at, 'ids'], `vcs \`${id}\` is described twice`);
      if (vcss.some((vcs) => vcs.usp === usp)) report(['vcss', at, 'usp'], `port \`${usp}\` is the usp of two vcss`);
      if (ports.find((port) => port.id === usp)?.role !== 'usp') {
        report(['vcss', at, 'usp'], `port \`${usp}\` is not a usp`);
      }
      const bindings = (group.bindings ?? []).map((binding, b) => {
        const where: FilePath = ['vcss', at, 'bindings', b];
        const spec = { vppb: binding.vppb, port: binding.port, ld: binding.ld ?? null };
        checkBinding(spec, group.vppbs, ports, devices, (message) => report(where, message));
        for (const key of [`${id}/${spec.vppb}`, `port ${spec.port} ${spec.ld ?? 'whole'}`]) {
          if (taken.has(key)) report(where, 'the vppb, port or ld of this binding is bound already');
          taken.add(key);
        }
        return spec;
      });
      vcss.push({ id, usp, vppbs: group.vppbs, bindings });
    });
  });
  return vcss.sort((a, b) => a.id - b.id);
}

function checkBinding(
  binding: BindingSpec,
  vppbs: number,
  ports: readonly PortSpec[],
  devices: readonly DeviceSpec[],
  report: (message: string) => void,
): void {
  if (binding.vppb >= vppbs) report(`there is no vppb \`${binding.vppb}\`: the vcs has ${vppbs}`);
  const port = ports.find((candidate) => candidate.id === binding.port);
  if (port?.role !== 'dsp') {
    report(`port \`${binding.port}\` is not a dsp`);
    return;
  }
  const device = port.device === null ? undefined : devices[port.device];
  if (device?.kind === 'mld') {
    if (binding.ld === null) report(`port \`${port.id}\` carries an mld: name one of its lds`);
    else if (binding.ld >= device.allocationBytes.length) report(`there is no ld \`${binding.ld}\` on that port`);
  } else if (binding.ld !== null) report(`port \`${port.id}\` carries no mld`);
}

function checkSerials(file: TopologyFile, devices: readonly DeviceSpec[], report: Report): void {
  const seen = new Set([BigInt(file.switch.serial)]);
  for (const device of devices) {
    if (seen.has(device.serial)) report(['devices'], `serial number of \`${device.name}\` is not its own`);
    seen.add(device.serial);
  }
}
