import { writeSync } from 'node:fs';
import type { Backend } from '../../src/backend/index.ts';
import { hex16 } from '../../src/cci/index.ts';
import { HookedBackend } from './hooked-backend.ts';
import { startTestBroker } from './running-broker.ts';

/**
 * A broker that is meant to be killed: binds and unbinds without pause, as many times as it lives for, and says on
 * standard output, in writes that the kernel has before the next step, what reached the device and what was answered.
 *
 *   node crash-child.ts CONFIG STATE_DIRECTORY
 */
const [config = '', state = ''] = process.argv.slice(2);

function say(line: string): void {
  writeSync(1, `${line}\n`);
}

/** Says each state-changing request before it is passed on, and makes the moment before its outcome longer. */
function loud(inner: Backend): Backend {
  const hooked = new HookedBackend(inner);
  hooked.hook = async (request, pass) => {
    const changes = request.opcode === 0x5201 || request.opcode === 0x5202;
    if (changes) say(`sent ${hex16(request.opcode)}`);
    const reply = await pass();
    if (changes) await new Promise((done) => setTimeout(done, 2));
    return reply;
  };
  return hooked;
}

const broker = await startTestBroker(config, { wrapBackend: (_name, backend) => loud(backend) }, state);
const token = await broker.token({ tenant: 'acme', subject: 'alice', groups: ['operators'] });
const operator = await broker.token({ tenant: 'fabric', subject: 'olga', groups: ['fabric-admins'] });
const taint = await broker.core.taint({ token: operator, source: 'child' });
say(`taint ${taint.ok ? taint.value[0]?.letters : '?'}`);
say('ready');
// Scope 2: accepted, so taint J, durable before it is sent.
const reset = {
  kind: 'named',
  command: 'physical-port-control',
  params: { ppb_id: 6, port_opcode: 'reset-ppb' },
} as const;
const answer = await broker.core.submit({ token: operator, source: 'child' }, 'sw0', reset);
if (answer.ok) say('tainted J');
for (let i = 0; ; i++) {
  const params =
    i % 2 === 0
      ? { vcs_id: 0, vppb_id: 2, physical_port_id: 3, ld_id: 1 }
      : { vcs_id: 0, vppb_id: 2, option: 'surprise-hot-remove' };
  const command = i % 2 === 0 ? 'bind-vppb' : 'unbind-vppb';
  const done = await broker.core.submit({ token, source: 'child' }, 'sw0', { kind: 'named', command, params });
  say(`answered ${done.ok ? done.value.returnCode : done.problem.code}`);
}
