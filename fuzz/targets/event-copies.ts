import { copiesOf } from '../../src/broker/events/attribute.ts';
import { EVENT_RECORD_SIZE, portId } from '../../src/cci/index.ts';
import { FABRIC_TENANT, type TopologyView } from '../../src/policy/index.ts';
import { binding, fabricOf, opaque, portError, recordOf } from '../../test/broker/events/rig.ts';
import { demand, type Target } from '../engine/target.ts';
import { joined } from '../support/cci-seeds.ts';
import { hexOf, Input, sameBytes } from '../support/input.ts';
import { checkOwnCopy } from '../support/own-events.ts';
import { target as eventRecord } from './event-record.ts';

export const target: Target = {
  name: 'event-copies',
  oracle: 'of a record each tenant gets at most one copy that names nothing of others; operators get it as it came',
  covers: ['src/broker/events/attribute.ts', 'src/cci/events.ts'],
  kind: 'bytes',
  maxLength: EVENT_RECORD_SIZE + 1,
  ...(eventRecord.dictionary === undefined ? {} : { dictionary: eventRecord.dictionary }),
  seeds: () =>
    [
      ...[
        binding(0, 1, { port: 1 }),
        binding(0, 1, { port: 3, ld: 2 }),
        binding(1, 0),
        binding(2, 3, { port: 4, ld: 0 }),
      ],
      ...[portError(1), portError(3), portError(5), opaque(9)],
    ].flatMap((body) => [0, 4].map((where) => joined(Uint8Array.of(where), recordOf(body)))),
  mend(bytes) {
    const copy = new Uint8Array(EVENT_RECORD_SIZE + 1);
    copy.set(bytes.subarray(0, copy.length));
    copy[17] = EVENT_RECORD_SIZE;
    return copy;
  },
  open() {
    const fabric = fabricOf();
    const topology: Pick<TopologyView, 'tagOwner' | 'ports'> = { ports: new Map(), tagOwner: () => undefined };
    return {
      run(bytes) {
        const input = new Input(bytes);
        const where = input.byte() % 6;
        const record = input.rest();
        const hops = where === 0 ? [] : [{ kind: 'port', port: portId(where) } as const];
        const copies = copiesOf(record, { switch: 'sw0', hops, fabric, topology });
        const tenants = copies.map(({ tenant }) => tenant);
        demand(new Set(tenants).size === tenants.length, `copies for ${tenants.join()}`);
        const whole = copies.find(({ tenant }) => tenant === FABRIC_TENANT);
        demand(whole !== undefined && sameBytes(whole.bytes, record), () => `operators do not get ${hexOf(record)}`);
        for (const { tenant, bytes: copy } of copies) {
          if (where === 0) checkOwnCopy(tenant, copy, fabric);
          // Behind a port, only who owns all of it gets a record as it came; here nobody has a tag.
          else if (tenant !== FABRIC_TENANT && sameBytes(copy, record) && record.some((byte) => byte !== 0)) {
            const owner = fabric.ownerOf(`/switches/sw0/ports/${where}`);
            const lds = [0, 1, 2, 3].map((ld) => fabric.ownerOf(`/switches/sw0/ports/${where}/lds/${ld}`));
            demand(owner === tenant || lds.includes(tenant), `${tenant} has no part in port ${where}`);
          }
        }
      },
    };
  },
};
