// Attaches a logical device to a host: asks first whether it may, then does it and waits until it is done.
//
//   CCI_URL=... CCI_TOKEN=... node docs/examples/bind.ts VCS VPPB PORT LD
import { createClient } from 'switch-cci-broker';

const client = createClient({ url: process.env.CCI_URL ?? 'http://127.0.0.1:8420', token: process.env.CCI_TOKEN ?? '' });
const [vcs_id = 0, vppb_id = 0, physical_port_id = 0, ld_id = 0xffff] = process.argv.slice(2).map(Number);
const params = { vcs_id, vppb_id, physical_port_id, ld_id };

const decision = await client.can('bind-vppb', params);
if (decision.verdict === 'deny') {
  console.log(`not allowed: ${decision.outward?.detail}`);
  for (const need of decision.wouldNeed ?? []) console.log(`  it would need ${need}`);
  process.exit(1);
}
// It ends with an error after ten seconds, whatever the switch does meanwhile.
const { operation } = await client.run('bind-vppb', params, { signal: AbortSignal.timeout(10_000) });
if (operation !== undefined) {
  while ((await client.operation(operation)).state === 'running') await new Promise((resolve) => setTimeout(resolve, 20));
  console.log((await client.operation(operation)).state);
}
