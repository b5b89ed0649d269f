import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../../src/broker/config/index.ts';

const config = (backend: string): string => `
profile: host
http: { host: 127.0.0.1, port: 0 }
state_directory: state
fabric: fabric.yaml
policy: { directory: policies }
issuers: [{ kind: development, tenants: ['*'] }]
switches: { sw0: { backend: ${backend} } }
`;

function problems(backend: string): string {
  const parsed = parseConfig(config(backend), '/etc/cci/broker.yaml');
  return parsed.ok ? '' : parsed.problems.map(({ message }) => message).join('\n') || 'a problem';
}

describe('devices of this host', () => {
  it.each([
    '{ kind: vfio }',
    '{ kind: vfio, address: "0000:0d:00.1" }',
    '{ kind: vfio, address: "10000:e1:1f.7", interrupts: false }',
    '{ kind: sysfs }',
    '{ kind: sysfs, address: "0000:0d:00.1" }',
    '{ kind: chardev, path: /dev/cxl/switch0 }',
    '{ kind: chardev, path: /dev/cxl/switch0, max_payload: 2048, command_ids: { "0x5100": 25, "0x5300": 26 } }',
  ])('%s is taken', (backend) => {
    expect(problems(backend)).toBe('');
  });

  it.each([
    ['an address without its domain', '{ kind: vfio, address: "0d:00.1" }'],
    ['an address in capitals, which the kernel does not write', '{ kind: vfio, address: "0000:0D:00.1" }'],
    ['an address that leads elsewhere', '{ kind: sysfs, address: "../../../etc" }'],
    ['an address that goes on', '{ kind: sysfs, address: "0000:0d:00.1/../0000:0e:00.0" }'],
    ['a device that can not be', '{ kind: vfio, address: "0000:0d:20.0" }'],
    ['a mistyped key', '{ kind: vfio, adress: "0000:0d:00.1" }'],
    ['a key of another kind', '{ kind: sysfs, interrupts: false }'],
    ['a word for a switch', '{ kind: vfio, interrupts: maybe }'],
    ['a node outside of /dev', '{ kind: chardev, path: /etc/passwd }'],
    ['a node outside of /dev by a way around', '{ kind: chardev, path: /dev/cxl/../../etc/passwd }'],
    ['no node', '{ kind: chardev }'],
    ['a payload below the least that a mailbox has', '{ kind: chardev, path: /dev/cxl/switch0, max_payload: 128 }'],
    ['an opcode that is none', '{ kind: chardev, path: /dev/cxl/switch0, command_ids: { identify: 1 } }'],
    ['an id of nothing', '{ kind: chardev, path: /dev/cxl/switch0, command_ids: { "0x5100": 0 } }'],
  ])('%s is an error', (_, backend) => {
    expect(problems(backend)).not.toBe('');
  });
});
