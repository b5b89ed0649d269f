import { describe, expect, it } from 'vitest';
import { Rig } from './rig.ts';

const bind = { vcs_id: 0, vppb_id: 2, physical_port_id: 3, ld_id: 1 };

function status(rig: Rig, via = '') {
  return rig.run('background-operation-status', {}, via);
}

function records(rig: Rig, log: 'informational' | 'warning' | 'failure' = 'informational', via = '') {
  return rig.run('get-event-records', { event_log: log }, via).event_records;
}

describe('bind and unbind run in the background (D25)', () => {
  it('shows a vPPB in progress, then bound, with progress in between and an event at the end', () => {
    const rig = new Rig();
    expect(rig.send(0x5201, '000203000100').layers[0]).toMatchObject({ returnCode: 1, background: true });
    expect(rig.vppbs(0)[2]).toBe('bind-or-unbind-in-progress 3 1');
    rig.pass(25);
    expect(status(rig)).toMatchObject({
      status: { background_operation_in_progress: true, percentage_complete: 50 },
      command_opcode: 0x5201,
      return_code: 0,
    });
    rig.pass(25);
    expect(status(rig)).toMatchObject({
      status: { background_operation_in_progress: false, percentage_complete: 100 },
      command_opcode: 0x5201,
      return_code: 0,
    });
    expect(rig.vppbs(0)[2]).toBe('bound-to-ld 3 1');
    const [event] = records(rig);
    expect(event?.event_record_identifier).toBe('40d26425-3396-4c4d-a5da-3d47263af425');
    expect([...(event?.event_record_data.slice(0, 6) ?? [])]).toEqual([0, 2, 0, 3, 3, 1]);
  });

  it('has one slot: a second start is Busy, and a reset of a device leaves the slot of the switch alone', () => {
    const rig = new Rig();
    rig.run('bind-vppb', bind);
    expect(rig.tryRun('unbind-vppb', { vcs_id: 1, vppb_id: 1, option: 'surprise-hot-remove' })).toBe(6);
    rig.run('physical-port-control', { ppb_id: 3, port_opcode: 'reset-ppb' });
    expect(status(rig).status.background_operation_in_progress).toBe(true);
  });

  it('cannot be aborted: 0005h is 0020h and the operation goes on', () => {
    const rig = new Rig();
    rig.run('bind-vppb', bind);
    expect(rig.tryRun('request-abort-background-operation', {})).toBe(0x20);
    rig.pass(60);
    expect(rig.vppbs(0)[2]).toBe('bound-to-ld 3 1');
  });

  it('shows bind and unbind of a whole port in the state of the port', () => {
    const rig = new Rig();
    const state = (): unknown =>
      rig.run('get-physical-port-state', { port_id_list: [5] }).port_information_list[0]
        ?.current_port_configuration_state.state;
    rig.run('bind-vppb', { ...bind, physical_port_id: 5, ld_id: 0xffff });
    expect(state()).toBe('bind-in-progress');
    rig.pass(60);
    expect(state()).toBe('dsp');
    expect(rig.vppbs(0)[2]).toBe('bound-to-physical-port 5 255');
    rig.run('unbind-vppb', { vcs_id: 0, vppb_id: 2, option: 'managed-hot-remove' });
    expect(state()).toBe('unbind-in-progress');
    rig.pass(60);
    expect(state()).toBe('dsp');
    expect(rig.vppbs(0)[2]).toBe('unbound 0 255');
  });

  it('fails with a warning when the LD was taken in the meantime', () => {
    const rig = new Rig();
    rig.run('bind-vppb', bind);
    expect(rig.control.bindBehindBack({ vcs: 1, vppb: 3, port: 3, ld: 1 })).toBe(true);
    rig.pass(60);
    expect(status(rig)).toMatchObject({ return_code: 4, command_opcode: 0x5201 });
    expect(rig.vppbs(0)[2]).toBe('unbound 0 255');
    expect(rig.vppbs(1)[3]).toBe('bound-to-ld 3 1');
    expect(records(rig, 'warning')).toHaveLength(1);
  });

  it('counts bound vPPBs as the lists do', () => {
    const rig = new Rig();
    const counts = (): readonly number[] => {
      const reply = rig.run('identify-switch-device', {});
      return [reply.total_number_of_vppbs, reply.number_of_bound_vppbs];
    };
    expect(counts()).toEqual([8, 4]);
    rig.run('bind-vppb', bind);
    expect(counts()).toEqual([8, 4]);
    rig.pass(60);
    expect(counts()).toEqual([8, 5]);
  });
});

describe('the three ways to unbind', () => {
  it('waits for the link with option 0 until the host lets go', () => {
    const rig = new Rig('small', { timing: { hostReleaseMs: null } });
    rig.run('unbind-vppb', { vcs_id: 0, vppb_id: 0, option: 'wait-for-link-down' });
    rig.pass(3_600_000);
    expect(status(rig).status.background_operation_in_progress).toBe(true);
    expect(rig.tryRun('bind-vppb', bind)).toBe(6);
    rig.control.releaseLink(2);
    expect(rig.vppbs(0)[0]).toBe('unbound 0 255');
    expect(status(rig)).toMatchObject({ return_code: 0, status: { percentage_complete: 100 } });
  });

  it('ends option 0 when the device is pulled out', () => {
    const rig = new Rig('small', { timing: { hostReleaseMs: null } });
    rig.run('unbind-vppb', { vcs_id: 0, vppb_id: 0, option: 'wait-for-link-down' });
    rig.control.unplug(2);
    expect(rig.vppbs(0)[0]).toBe('unbound 0 255');
  });

  it.each(['managed-hot-remove', 'surprise-hot-remove'] as const)('does not wait with %s', (option) => {
    const rig = new Rig('small', { timing: { hostReleaseMs: null } });
    rig.run('unbind-vppb', { vcs_id: 0, vppb_id: 1, option });
    rig.pass(50);
    expect(rig.vppbs(0)[1]).toBe('unbound 0 255');
  });
});

describe('ports and links', () => {
  const port = (rig: Rig, id: number) =>
    rig.run('get-physical-port-state', { port_id_list: [id] }).port_information_list[0];

  it('PERST takes the link down, a tunnel finds nobody, deassertion trains it again', () => {
    const rig = new Rig();
    rig.run('physical-port-control', { ppb_id: 3, port_opcode: 'assert-perst' });
    expect(port(rig, 3)).toMatchObject({ ltssm_state: 'detect', link_state_flags: { perst_asserted: true } });
    expect(rig.code(0x0001, '', 'port:3')).toBe(2);
    rig.run('physical-port-control', { ppb_id: 3, port_opcode: 'deassert-perst' });
    expect(port(rig, 3)?.ltssm_state).toBe('polling');
    rig.pass(20);
    expect(port(rig, 3)).toMatchObject({ ltssm_state: 'l0', link_state_flags: { perst_asserted: false } });
    expect(rig.code(0x0001, '', 'port:3')).toBe(0);
    expect(records(rig).map((event) => event.event_record_data[1])).toEqual([0, 0]);
  });

  it('a reset below loses the background operation of the device and its result', () => {
    const rig = new Rig();
    rig.run('sanitize', {}, 'port:5');
    rig.run('physical-port-control', { ppb_id: 5, port_opcode: 'reset-ppb' });
    rig.pass(1000);
    expect(status(rig, 'port:5')).toMatchObject({ command_opcode: 0, status: { percentage_complete: 0 } });
  });

  it('answers state Fh for a port that does not exist, as the specification says', () => {
    const rig = new Rig();
    const blocks = rig.run('get-physical-port-state', { port_id_list: [2, 99] }).port_information_list;
    expect(blocks.map((block) => block.current_port_configuration_state.state)).toEqual(['dsp', 'invalid-port-id']);
  });

  it('gives the block of the worked example for an MLD port but for its LD count', () => {
    const reply = new Rig().send(0x5101, '0103');
    expect(Buffer.from(reply.payload).toString('hex')).toBe('01000000' + '03030300050610081f05050400040004');
  });

  it('unplugged and plugged again, a device is reached again', () => {
    const rig = new Rig();
    expect(rig.control.unplug(5)).toBe(true);
    expect(port(rig, 5)).toMatchObject({ connected_device_type: 'none', supported_ld_count: 0 });
    expect(rig.control.plug(5)).toBe(true);
    rig.pass(20);
    expect(rig.code(0x0001, '', 'port:5')).toBe(0);
  });
});

describe('5200h: positional windows (D11)', () => {
  it('lists min(limit, total) entries from the start and fills up with unbound ones', () => {
    const reply = new Rig().send(0x5200, '01ff0100');
    expect(Buffer.from(reply.payload).toString('hex')).toBe(
      '01000000' + '00010004' + '03030000' + '0000ff00' + '0000ff00' + '0000ff00',
    );
  });

  it('lists only what exists in the jackrabbit dialect', () => {
    const rig = new Rig();
    const reply = rig.emulator.execute(0x5200, Uint8Array.of(1, 255, 2, 0, 9), 'jackrabbit');
    expect(Buffer.from(reply.payload).toString('hex')).toBe(
      '01000000' + '00010004' + '03030000' + '0000ff00' + '0000ff00',
    );
  });

  it('answers FFh for a VCS that does not exist', () => {
    const reply = new Rig().run('get-virtual-cxl-switch-info', {
      starting_vppb: 0,
      vppb_list_limit: 1,
      vcs_id_list: [9],
    });
    expect(reply.vcs_information_list[0]).toMatchObject({ vcs_id: 9, vcs_state: 'invalid-vcs-id', number_of_vppbs: 0 });
  });
});
