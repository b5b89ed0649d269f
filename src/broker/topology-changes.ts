import { decodePayload, isTyped, NO_LD, rowByOpcode, type Value } from '../cci/index.ts';
import type { Binding, Decision, TopologyView } from '../policy/index.ts';
import { bindingText, type Difference, sameBinding } from './topology-picture.ts';

/**
 * What a command of the broker's may do to the fabric. While it is open, a picture that shows it done, undone or under
 * way surprises nobody.
 */
export type FabricChange =
  /** Bind or unbind: that vPPB becomes `to`, or stays as it was. */
  | {
      readonly kind: 'vppb';
      readonly vcs: number;
      readonly vppb: number;
      readonly from: Binding;
      readonly to: Binding;
    }
  /** The link of a port, and what is seen behind it; never who that is. */
  | { readonly kind: 'port'; readonly port: number }
  /** A raw command on the switch: nobody can say. */
  | { readonly kind: 'anything' };

/** One text for each change, so that repetitions are one. */
export function changeKey(change: FabricChange): string {
  switch (change.kind) {
    case 'vppb':
      return `vppb ${change.vcs}/${change.vppb} ${bindingText(change.to)}`;
    case 'port':
      return `port ${change.port}`;
    case 'anything':
      return 'anything';
  }
}

const RESET = new Set([0x0200, 0x0201, 0x0202]);

/** What carrying out the decided command may do to ports and bindings; empty for nearly all commands. */
export function changesOf(decision: Decision, topology: TopologyView): readonly FabricChange[] {
  const { facts, command } = decision;
  if (!facts.mutating && facts.class !== 'raw') return [];
  const [port] = command.hops;
  if (port?.kind === 'port') {
    // What is behind a port may reset itself; it cannot move bindings.
    const resets = facts.class === 'raw' || RESET.has(command.opcode);
    return resets ? [{ kind: 'port', port: port.port }] : [];
  }
  const row = rowByOpcode(command.opcode);
  // What a vendor's command moves nobody here knows.
  if (facts.class === 'raw' || row === undefined || !isTyped(row)) return [{ kind: 'anything' }];
  const set = command.opcode >> 8;
  // Firmware that starts is the switch powered on again.
  if (RESET.has(command.opcode)) return [{ kind: 'anything' }];
  if (set < 0x51) return [];
  const params = decodePayload(row.request, command.payload, { side: 'request' });
  return params.ok ? onSwitch(command.opcode, params.value as Value, topology) : [{ kind: 'anything' }];
}

function onSwitch(opcode: number, params: Value, topology: TopologyView): readonly FabricChange[] {
  const id = (name: string): number => Number(params[name]);
  switch (opcode) {
    case 0x5102:
    case 0x5103:
    case 0x5301:
      return [{ kind: 'port', port: id('ppb_id') }];
    case 0x5302:
      return [{ kind: 'port', port: id('port_id') }];
    case 0x5201: {
      const [vcs, vppb, port, ld] = [id('vcs_id'), id('vppb_id'), id('physical_port_id'), id('ld_id')];
      const to: Binding = ld === NO_LD ? { kind: 'port', port } : { kind: 'ld', port, ld };
      return [
        { kind: 'vppb', vcs, vppb, from: bindingAt(topology, vcs, vppb), to },
        { kind: 'port', port },
      ];
    }
    case 0x5202: {
      const [vcs, vppb] = [id('vcs_id'), id('vppb_id')];
      const from = bindingAt(topology, vcs, vppb);
      const change: FabricChange = { kind: 'vppb', vcs, vppb, from, to: { kind: 'unbound' } };
      return 'port' in from ? [change, { kind: 'port', port: from.port }] : [change];
    }
    // An error that a host sees; nothing of the fabric moves by it.
    case 0x5203:
      return [];
    default:
      return [{ kind: 'anything' }];
  }
}

function bindingAt(topology: TopologyView, vcs: number, vppb: number): Binding {
  return topology.vcss.get(vcs)?.vppbs[vppb] ?? { kind: 'unknown' };
}

/** Is the difference what this change does? Another serial number never is. */
export function explains(change: FabricChange, difference: Difference): boolean {
  switch (change.kind) {
    case 'anything':
      return difference.kind !== 'identity';
    case 'port':
      return difference.kind === 'port' && difference.port === change.port;
    case 'vppb': {
      if (difference.kind !== 'vppb' || difference.vcs !== change.vcs || difference.vppb !== change.vppb) return false;
      const { to } = difference;
      if (to === undefined || to.kind === 'unknown') return true;
      return sameBinding(to, change.to) || sameBinding(to, change.from);
    }
  }
}
