import { RC } from '../../../cci/index.ts';
import { abortBackground, progressOf } from '../background.ts';
import {
  answer,
  bytesCommand,
  type Command,
  command,
  done,
  encodeReply,
  finished,
  refused,
  typedRow,
} from '../command.ts';
import { MAX_MESSAGE_EXPONENT, MIN_MESSAGE_EXPONENT } from '../options.ts';
import type { CciState } from '../state.ts';

const identifyLayout = typedRow('identify').response;
/** Identify never changes and every new connection asks for it: encoded once per CCI. */
const identities = new WeakMap<CciState, Uint8Array>();
/** Bytes of Identify without the component type: what devices of the 2.0 era send (D09). */
const OLD_IDENTIFY_SIZE = 17;

/** Command set 00h: Information and Status. */
export const set00: readonly Command[] = [
  bytesCommand('identify', (context, payload) => {
    if (payload.length !== 0) return refused(RC.invalidPayloadLength);
    const { cci, device, kind } = context.target;
    let bytes = identities.get(cci);
    if (bytes === undefined) {
      const { machine } = context;
      const pci = device === undefined ? machine.topology.switch : machine.specOf(device);
      const value = {
        pcie_vendor_id: pci.vendorId,
        pcie_device_id: pci.deviceId,
        pcie_subsystem_vendor_id: pci.subsystemVendorId,
        pcie_subsystem_id: pci.subsystemId,
        device_serial_number: cci.serial,
        max_supported_message_size: MAX_MESSAGE_EXPONENT,
        component_type: kind === 'switch' ? 'switch' : 'type-3-device',
      };
      bytes = encodeReply(identifyLayout, value, 'identify');
      identities.set(cci, bytes);
    }
    return answer(context.dialect === 'jackrabbit' ? bytes.slice(0, OLD_IDENTIFY_SIZE) : bytes.slice());
  }),

  command('background-operation-status', ({ machine, target: { cci } }) => {
    const { background, lastBackground } = cci;
    return done({
      status: { background_operation_in_progress: background !== null, percentage_complete: progressOf(machine, cci) },
      command_opcode: background?.opcode ?? lastBackground?.opcode ?? 0,
      return_code: background === null ? (lastBackground?.returnCode ?? 0) : 0,
      vendor_specific_extended_status: 0,
    });
  }),

  command('get-response-message-limit', ({ target }) => done({ response_message_limit: target.cci.limit })),

  // The row allows 8 to 10 (r3.1); an erratum allows up to 20 and one dialect sends it (D15). A limit above what
  // Identify states cannot be kept: `spec` refuses it, `jackrabbit` answers with the one that holds.
  bytesCommand('set-response-message-limit', (context, payload) => {
    const wanted = payload[0];
    if (payload.length !== 1 || wanted === undefined) return refused(RC.invalidPayloadLength);
    const highest = context.dialect === 'jackrabbit' ? 20 : MAX_MESSAGE_EXPONENT;
    if (wanted < MIN_MESSAGE_EXPONENT || wanted > highest) return refused(RC.invalidInput);
    context.target.cci.limit = Math.min(wanted, MAX_MESSAGE_EXPONENT);
    return answer(Uint8Array.of(context.target.cci.limit));
  }),

  command('request-abort-background-operation', ({ machine, target }) => {
    const returnCode = abortBackground(machine, target.cci);
    return returnCode === RC.success ? finished() : refused(returnCode);
  }),
];
