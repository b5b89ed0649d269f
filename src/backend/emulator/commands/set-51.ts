import { RC } from '../../../cci/index.ts';
import { boundToHost, vppbCounts } from '../bindings.ts';
import { answer, bytesCommand, type Command, command, done, finished, refused, room } from '../command.ts';
import { accessConfig } from '../config-space.ts';
import { assertPerst, deassertPerst, resetPpb } from '../links.ts';
import { invalidPortBlock, PORT_BLOCK_SIZE, portBlock } from '../port-block.ts';

const LIST_HEADER = 4;

/** Command set 51h: Physical Switch. */
export const set51: readonly Command[] = [
  command('identify-switch-device', ({ machine }) => {
    const ports = machine.topology.ports.map((port) => port.id);
    const vcss = machine.topology.vcss.map((vcs) => vcs.id);
    const { total, bound } = vppbCounts(machine);
    return done({
      ingress_port_id: machine.topology.switch.ingressPort,
      // The field has 8 bits: a switch of 256 ports cannot say so.
      number_of_physical_ports: Math.min(ports.length, 255),
      number_of_vcss: Math.min(vcss.length, 255),
      active_port_bitmask: ports,
      active_vcs_bitmask: vcss,
      total_number_of_vppbs: total,
      number_of_bound_vppbs: bound,
      number_of_hdm_decoders: machine.topology.switch.hdmDecoders,
    });
  }),

  // Monitors poll this for all ports: the blocks are copied, not encoded again.
  bytesCommand('get-physical-port-state', (context, payload) => {
    const { machine, dialect } = context;
    const count = payload[0];
    if (count === undefined || payload.length !== 1 + count) return refused(RC.invalidPayloadLength);
    if (count === 0) return refused(RC.invalidInput);
    const reply = new Uint8Array(
      LIST_HEADER + Math.min(count, room(context, LIST_HEADER, PORT_BLOCK_SIZE)) * PORT_BLOCK_SIZE,
    );
    let listed = 0;
    for (let i = 1; i <= count && LIST_HEADER + (listed + 1) * PORT_BLOCK_SIZE <= reply.length; i++) {
      const id = payload[i] ?? 0;
      const port = machine.port(id);
      // Tools of the jackrabbit dialect ask for 0..254 whatever there is, and expect what exists.
      if (port === undefined && dialect === 'jackrabbit') continue;
      const block = port === undefined ? invalidPortBlock(id) : portBlock(machine, port);
      reply.set(block, LIST_HEADER + listed * PORT_BLOCK_SIZE);
      listed++;
    }
    reply[0] = listed;
    const size = LIST_HEADER + listed * PORT_BLOCK_SIZE;
    return answer(size === reply.length ? reply : reply.slice(0, size));
  }),

  // Only for ports that no host has as a whole: a bound SLD is the host's to reset (D26).
  command('physical-port-control', ({ machine }, { ppb_id, port_opcode }) => {
    const port = machine.port(ppb_id);
    if (port?.role !== 'dsp' || boundToHost(port, undefined)) return refused(RC.invalidInput);
    if (port_opcode === 'assert-perst') assertPerst(machine, port);
    else if (port_opcode === 'deassert-perst') deassertPerst(machine, port);
    else resetPpb(machine, port);
    return finished();
  }),

  command('send-ppb-cxl-io-configuration-request', ({ machine }, { ppb_id, request_control, transaction_data }) => {
    const port = machine.port(ppb_id);
    if (port === undefined || port.role === 'usp' || boundToHost(port, undefined)) return refused(RC.invalidInput);
    port.config ??= new Map();
    return done({ return_data: accessConfig(port.config, { kind: 'ppb' }, request_control, transaction_data) });
  }),

  command('get-domain-validation-sv-state', ({ machine }) =>
    done({ secret_value_state: machine.state.hostSecret === null ? 'not-set' : 'set' }),
  ),

  // Settable once until reset: whoever comes first wins.
  command('set-domain-validation-sv', ({ machine }, { secret_value_uuid }) => {
    if (machine.state.hostSecret !== null) return refused(RC.invalidInput);
    machine.state.hostSecret = secret_value_uuid;
    const ingress = machine.topology.switch.ingressPort;
    const vcs = machine.state.vcss.find((candidate) => candidate?.usp === ingress);
    if (vcs !== null && vcs !== undefined) vcs.secret = secret_value_uuid;
    return finished();
  }),

  command('get-vcs-domain-validation-sv-state', ({ machine }, { vcs_id }) => {
    const vcs = machine.vcs(vcs_id);
    if (vcs === undefined) return refused(RC.invalidInput);
    return done({ secret_value_state: vcs.secret === null ? 'not-set' : 'set' });
  }),

  command('get-domain-validation-sv', ({ machine }, { vcs_id }) => {
    const secret = machine.vcs(vcs_id)?.secret;
    if (secret === null || secret === undefined) return refused(RC.invalidInput);
    return done({ secret_value_uuid: secret });
  }),
];
