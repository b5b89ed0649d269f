import { RC, readUint, readUint64 } from '../../../cci/index.ts';
import { startBackground } from '../background.ts';
import { type Command, command, finished, refused } from '../command.ts';
import { capacityOf } from '../media.ts';

const INVALID_ADDRESS = 0x000f;
/** Parameters of a repair: flags, DPA (8), nibble mask (3). */
const REPAIR_SIZE = 12;
/** Parameters of a sparing: flags, place in the DRAM. */
const SPARING_SIZE = 14;
const QUERY_RESOURCES = 1;

/** Command set 06h: Maintenance. */
export const set06: readonly Command[] = [
  command('perform-maintenance', ({ machine, target }, request) => {
    const { maintenance_operation_class: operation, maintenance_operation_subclass: subclass } = request;
    const parameters = request.maintenance_operation_parameters;
    if (operation === 'no-operation') return subclass === 0 ? finished() : refused(RC.invalidInput);
    if (target.kind === 'switch' || target.kind === 'ld-pool-cci') return refused(RC.invalidInput);
    const repair = operation === 'post-package-repair';
    if (subclass > (repair ? 1 : 3)) return refused(RC.invalidInput);
    if (parameters.length !== (repair ? REPAIR_SIZE : SPARING_SIZE)) return refused(RC.invalidPayloadLength);
    const address = repair ? readUint64(parameters, 1) : 0n;
    if (address >= capacityOf(machine, target)) return refused(INVALID_ADDRESS);
    if ((readUint(parameters, 0, 1) & QUERY_RESOURCES) !== 0) return finished();
    const job = { kind: 'maintenance', operationClass: repair ? 1 : 2, address } as const;
    return refused(startBackground(machine, target.cci, 0x0600, machine.options.timing.maintenanceMs, job));
  }),
];
