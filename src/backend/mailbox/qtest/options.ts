import { type Static, Type } from '../../../schema/index.ts';
import { BackendError } from '../../backend.ts';

/** Downstream ports that fit: the switch's internal bus has 32 places, and ports stay below the FM-API limits. */
const PORTS_MAX = 28;

const Serial = (example: string) =>
  Type.String({
    pattern: '^0x[0-9a-fA-F]{1,16}$',
    description: `64-bit serial number in hex, such as ${example}`,
  });

const Device = Type.Object(
  {
    port: Type.Integer({ minimum: 1, maximum: PORTS_MAX, description: 'Downstream port the memory device sits below' }),
    serial: Type.Optional(Serial('0xc0ffee01')),
  },
  { additionalProperties: false },
);

/** The machine that the broker starts by itself: one switch, its CCI, and memory devices below some of its ports. */
export const QemuMachine = Type.Object(
  {
    binary: Type.Optional(
      Type.String({ minLength: 1, description: 'QEMU to run, a name or a path', default: 'qemu-system-x86_64' }),
    ),
    ports: Type.Optional(
      Type.Integer({ minimum: 1, maximum: PORTS_MAX, default: 3, description: 'Downstream ports, numbered from 1' }),
    ),
    devices: Type.Optional(
      Type.Array(Type.Union([Type.Integer({ minimum: 1, maximum: PORTS_MAX }), Device]), {
        maxItems: PORTS_MAX,
        default: [1, 2],
        description:
          'Ports that have a type 3 memory device; a bare number gets the serial number c0ffee00h plus the port number',
      }),
    ),
    switch_serial: Type.Optional(Serial('0x1122334455667788')),
  },
  { additionalProperties: false, description: 'Start a QEMU of our own and end it with the broker' },
);

const shared = {
  root_bus: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 200,
      default: 12,
      description: 'Bus number of the pxb-cxl root bus (its `bus_nr`)',
    }),
  ),
  open_timeout_ms: Type.Optional(
    Type.Integer({
      minimum: 100,
      maximum: 60_000,
      default: 10_000,
      description: 'How long starting or joining QEMU and finding the Switch CCI may take, in milliseconds',
    }),
  ),
};

/** How to reach a Switch CCI that QEMU emulates, over QEMU's qtest socket. */
export const QtestOptions = Type.Union(
  [
    Type.Object(
      {
        socket: Type.String({
          minLength: 1,
          maxLength: 107,
          description: 'Unix socket of a running QEMU: started with `-S -qtest unix:PATH,server=on,wait=off`',
        }),
        ...shared,
      },
      { additionalProperties: false },
    ),
    Type.Object({ spawn: QemuMachine, ...shared }, { additionalProperties: false }),
  ],
  { description: 'Exactly one of `socket` (join a running QEMU) and `spawn` (start one)' },
);

export type QtestOptions = Static<typeof QtestOptions>;
export type QemuMachine = Static<typeof QemuMachine>;

/** A machine with every default filled in. */
export interface MachinePlan {
  readonly binary: string;
  readonly ports: number;
  readonly devices: readonly { readonly port: number; readonly serial: string }[];
  readonly switchSerial: string;
  readonly rootBus: number;
}

/**
 * Fills in the defaults and checks what the schema can't: each device sits on a port that exists, alone.
 *
 * @throws BackendError EINVAL `not-sent`
 */
export function planMachine(machine: QemuMachine, rootBus: number): MachinePlan {
  const ports = machine.ports ?? 3;
  const taken = new Set<number>();
  const wanted = machine.devices ?? [1, 2].filter((port) => port <= ports);
  const devices = wanted.map((entry) => {
    const { port, serial } = typeof entry === 'number' ? { port: entry, serial: undefined } : entry;
    if (port > ports) throw invalid(`a device sits below port ${port}, but there are ${ports} ports`);
    if (taken.has(port)) throw invalid(`two devices sit below port ${port}`);
    taken.add(port);
    return { port, serial: serial ?? `0x${(0xc0ffee00 + port).toString(16)}` };
  });
  return {
    binary: machine.binary ?? 'qemu-system-x86_64',
    ports,
    devices,
    switchSerial: machine.switch_serial ?? '0x1122334455667788',
    rootBus,
  };
}

/**
 * Arguments for QEMU: a q35 machine with stopped CPUs whose only purpose is the switch below `pxb-cxl`.
 *
 * @param qtest what follows `-qtest`, such as `unix:/run/x.sock,server=on,wait=off`
 */
export function qemuArguments(plan: MachinePlan, qtest: string): string[] {
  const option = (name: string, value: string): string[] => [name, value];
  return [
    // Never KVM: no CPU runs here, and a broken KVM would stop the machine from starting.
    ...['-no-user-config', '-nodefaults', '-display', 'none', '-S', '-accel', 'tcg', '-m', '512M'],
    ...option('-sandbox', 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny'),
    ...option('-qtest', qtest),
    ...option('-qtest-log', '/dev/null'),
    ...option('-M', 'q35,cxl=on,cxl-fmw.0.targets.0=cxl.1,cxl-fmw.0.size=4G'),
    ...option('-device', `pxb-cxl,bus_nr=${plan.rootBus},bus=pcie.0,id=cxl.1`),
    ...option('-device', 'cxl-rp,port=0,bus=cxl.1,id=rp0,chassis=0,slot=2'),
    ...option('-device', `cxl-upstream,bus=rp0,addr=0.0,multifunction=on,id=us0,port=0,sn=${plan.switchSerial}`),
    ...option('-device', 'cxl-switch-mailbox-cci,bus=rp0,addr=0.1,target=us0'),
    ...Array.from({ length: plan.ports }, (_, index) => index + 1).flatMap((port) =>
      option('-device', `cxl-downstream,port=${port},bus=us0,id=dsp${port},chassis=0,slot=${port + 4}`),
    ),
    ...plan.devices.flatMap(({ port, serial }) => [
      ...option('-object', `memory-backend-ram,id=vmem${port},size=256M,share=on`),
      ...option('-device', `cxl-type3,bus=dsp${port},volatile-memdev=vmem${port},id=mem${port},sn=${serial}`),
    ]),
  ];
}

function invalid(message: string): BackendError {
  return new BackendError('EINVAL', 'not-sent', message);
}
