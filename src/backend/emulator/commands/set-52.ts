import { RC } from '../../../cci/index.ts';
import { startBind, startUnbind, vppbEntries } from '../bindings.ts';
import { answer, bytesCommand, type Command, command, finished, refused } from '../command.ts';

const LIST_HEADER = 4;
const VCS_HEADER = 4;
const VPPB_SIZE = 4;
const VCS_ENABLED = 1;
const INVALID_VCS = 0xff;

/** Command set 52h: Virtual Switch. */
export const set52: readonly Command[] = [
  // Polled as often as 5101h, so the vPPB entries are copied from bytes kept per VCS. The list of entries begins at
  // the start asked for; as many as min(limit, total - start) exist. The specification counts min(limit, total)
  // whatever the start (D11), so in that dialect the list is filled up with entries that are not there.
  bytesCommand('get-virtual-cxl-switch-info', (context, payload) => {
    const [start, limit, count] = payload;
    if (start === undefined || limit === undefined || count === undefined || payload.length !== 3 + count) {
      return refused(RC.invalidPayloadLength);
    }
    if (limit === 0 || count === 0) return refused(RC.invalidInput);
    const { machine, dialect } = context;
    const blocks: Uint8Array[] = [];
    let size = LIST_HEADER;
    for (let i = 0; i < count; i++) {
      const id = payload[3 + i] ?? 0;
      const vcs = machine.vcs(id);
      if (vcs === undefined && dialect === 'jackrabbit') continue;
      const entries = vcs === undefined ? new Uint8Array(0) : vppbEntries(machine, id);
      const total = entries.length / VPPB_SIZE;
      const there = Math.min(limit, Math.max(0, total - start));
      const listed = dialect === 'jackrabbit' ? there : Math.min(limit, total);
      const block = new Uint8Array(VCS_HEADER + listed * VPPB_SIZE);
      block[0] = id;
      block[1] = vcs === undefined ? INVALID_VCS : VCS_ENABLED;
      block[2] = vcs?.usp ?? 0;
      block[3] = total;
      block.set(entries.subarray(start * VPPB_SIZE, (start + there) * VPPB_SIZE), VCS_HEADER);
      for (let k = there; k < listed; k++) block[VCS_HEADER + k * VPPB_SIZE + 2] = 0xff;
      if (size + block.length > context.budget) break;
      size += block.length;
      blocks.push(block);
    }
    const reply = new Uint8Array(size);
    reply[0] = blocks.length;
    let at = LIST_HEADER;
    for (const block of blocks) {
      reply.set(block, at);
      at += block.length;
    }
    return answer(reply);
  }),

  command('bind-vppb', ({ machine }, { vcs_id, vppb_id, physical_port_id, ld_id }) =>
    refused(startBind(machine, vcs_id, vppb_id, physical_port_id, ld_id)),
  ),

  command('unbind-vppb', ({ machine }, { vcs_id, vppb_id, option }) =>
    typeof option === 'number' ? refused(RC.invalidInput) : refused(startUnbind(machine, vcs_id, vppb_id, option)),
  ),

  // In the jackrabbit dialect the error is any value of the AER register (D13), so its bits are not looked at.
  bytesCommand('generate-aer-event', (context, payload) => {
    if (context.dialect === 'spec') return generateAerEvent.run(context, payload);
    const plain = payload.slice();
    plain.fill(0, AER_ERROR, AER_ERROR + 4);
    return generateAerEvent.run(context, plain);
  }),
];

const AER_ERROR = 4;

/** The host sees the error, the fabric manager no record. Instance 0 is the upstream port, others the vPPB of that id. */
const generateAerEvent = command('generate-aer-event', ({ machine }, { vcs_id, vppb_instance }) => {
  const vppb = machine.vcs(vcs_id)?.vppbs[vppb_instance];
  if (vppb === undefined) return refused(RC.invalidInput);
  if (vppb_instance > 0 && vppb.status !== 'port' && vppb.status !== 'ld') return refused(RC.invalidInput);
  machine.tell({ cci: 'switch', atMs: machine.nowMs, log: 'aer', handle: 0 });
  return finished();
});
