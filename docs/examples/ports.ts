// One command, and who answered it. Parameters and result are typed by the command's name.
//
//   CCI_URL=http://127.0.0.1:8420 CCI_TOKEN=$(npx cci token issue ...) node docs/examples/ports.ts 2 3
import { BrokerError, createClient, DeviceError } from 'switch-cci-broker';

const client = createClient({ url: process.env.CCI_URL ?? 'http://127.0.0.1:8420', token: process.env.CCI_TOKEN ?? '' });
const ports = process.argv.slice(2).map(Number);

try {
  const { result, requestId } = await client.run('get-physical-port-state', { port_id_list: ports });
  for (const port of result?.port_information_list ?? []) {
    console.log(`port ${port.port_id}: ${port.connected_device_type}, ${port.supported_ld_count} LDs`);
  }
  console.error(`the journal has it as ${requestId}`);
} catch (error) {
  // Every error has a stable `code`; the message is for people.
  if (error instanceof BrokerError) console.error(`refused: ${error.code}, ${error.message}`);
  else if (error instanceof DeviceError) console.error(`the device answered ${error.returnCodeName}`);
  else throw error;
  process.exitCode = 1;
}
