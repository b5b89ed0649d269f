import { decodeEventRecord, EVENT_RECORD_SIZE } from '../../src/cci/index.ts';
import { FABRIC_TENANT, type Fabric } from '../../src/policy/index.ts';
import { demand } from '../engine/target.ts';

const MASKED = 0xff;

/**
 * A tenant's copy of a record of the switch names nothing but what is his: read here from the record and the fabric alone.
 *
 * @throws Violation
 */
export function checkOwnCopy(tenant: string, copy: Uint8Array, fabric: Fabric): void {
  if (tenant === FABRIC_TENANT) return;
  demand(copy.length === EVENT_RECORD_SIZE, `a copy of ${copy.length} bytes`);
  const record = decodeEventRecord(copy);
  demand(record.ok, 'a copy that nobody can read');
  const { body, header } = record.value;
  const isHis = (path: string): boolean => fabric.ownerOf(`/switches/sw0/${path}`) === tenant;
  demand(!header.event_record_flags.ld_id_valid && header.ld_id === 0, 'the header names an LD');
  switch (body.type) {
    case 'virtual-switch': {
      const { vcs_id: vcs, vppb_binding_status: status, vppb_port_id: port, vppb_ld_id: ld } = body.data;
      demand(vcs === MASKED || isHis(`vcss/${vcs}`), `VCS ${vcs} is shown to ${tenant}`);
      if (status === 'unbound') demand(isHis(`vcss/${vcs}`), 'nothing of his in it');
      else if (status === 'bound-to-physical-port')
        demand(isHis(`ports/${port}`), `port ${port} is shown to ${tenant}`);
      else if (status === 'bound-to-ld')
        demand(isHis(`ports/${port}/lds/${ld}`) || isHis(`ports/${port}`), `LD ${ld} of port ${port}`);
      return;
    }
    case 'physical-switch':
      demand(isHis(`ports/${body.data.physical_port_id}`), `port ${body.data.physical_port_id} is shown to ${tenant}`);
      return;
    case 'mld-port':
      demand(isHis(`ports/${body.data.port_id}`), `port ${body.data.port_id} is shown to ${tenant}`);
      return;
    default:
      demand(false, `a record of kind ${body.type} is shown to ${tenant}`);
  }
}
