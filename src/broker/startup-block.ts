import type { BrokerConfig } from './config/index.ts';
import type { Services, SwitchRuntime } from './pipeline/index.ts';

/** What the broker says when it is up: what it serves, what is in force, and what to try next. */
export function startupBlock(config: BrokerConfig, services: Services): string {
  const { counters, id, loosened } = services.policy.current;
  const lines = [
    'Switch CCI broker',
    '',
    ...[...services.switches.values()].flatMap(switchLines),
    `  profile    ${config.profile}${config.production ? ', production' : ''}`,
    `  policy     ${count(counters.rules, 'rule')} for ${count(counters.tenants, 'tenant')}, snapshot ${id.slice(0, 12)}`,
    ...shadowLine(services),
    `  state      ${config.stateDirectory}`,
  ];
  if (loosened.length > 0)
    lines.push(`  ATTENTION  shipped mandatory rows are loosened: ${loosened.join(', ')} (taint B)`);
  if (config.rawAllowAll)
    lines.push('  ATTENTION  raw_allow_all is on: security sets and the never-raw list are not tested (R8)');
  return lines.join('\n');
}

function shadowLine({ policy: { shadow } }: Services): readonly string[] {
  if (shadow === undefined) return [];
  return [`  shadow     candidate ${shadow.id.slice(0, 12)} beside it for ${[...shadow.tenants].join(', ')}`];
}

/** The command that a newcomer should run, for configurations with the development issuer. */
export function nextSteps(config: BrokerConfig, url: string): string {
  const development = config.issuers.some((issuer) => issuer.kind === 'development');
  const { tls, publicUrl } = config.http;
  const lines = [`  listening  ${url} (${tls === undefined ? 'loopback, no TLS' : tlsLine(tls)})`, ''];
  const shown = publicUrl ?? url;
  if (development) {
    lines.push(
      '  next, in another terminal:',
      '    export CCI_TOKEN=$(npx cci token issue --tenant acme --subject alice --group operators --scope "cci:read cci:config")',
      ...(shown === 'http://127.0.0.1:8420' ? [] : [`    export CCI_URL=${shown}`]),
      '    npx cci show ports',
    );
  } else lines.push('  next: CCI_TOKEN=... cci whoami');
  return lines.join('\n');
}

function tlsLine(tls: NonNullable<BrokerConfig['http']['tls']>): string {
  const clients = { none: '', request: ', client certificates bind tokens', require: ', client certificate needed' };
  return `TLS 1.3, HTTP/1.1 and HTTP/2${clients[tls.clientCertificates]}`;
}

function switchLines({ name, device, topology, posture }: SwitchRuntime): readonly string[] {
  const now = posture.posture();
  const vppbs = [...topology.vcss.values()].flatMap((vcs) => vcs.vppbs);
  const bound = vppbs.filter((binding) => binding.kind === 'port' || binding.kind === 'ld').length;
  const lds = [...topology.ports.values()].reduce((sum, port) => sum + port.ldCount, 0);
  const { effective, kernel, config, runTime } = now.lockdown;
  return [
    `  switch     ${name}: ${device.identity.description}`,
    `             ${count(topology.ports.size, 'port')}, ${count(topology.vcss.size, 'VCS', 'VCSs')} with ${count(vppbs.length, 'vPPB')} (${bound} bound), ${count(lds, 'LD')}`,
    `  lockdown   ${effective} (kernel ${kernel}, configuration ${config}, run time ${runTime})`,
    `  taint      ${now.taint.mask} (${now.taint.letters})`,
    `  raw        ${now.rawCommands}`,
  ];
}

function count(n: number, one: string, many = `${one}s`): string {
  return `${n} ${n === 1 ? one : many}`;
}
