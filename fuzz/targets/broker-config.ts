import { isAbsolute } from 'node:path';
import { isLoopback, parseConfig } from '../../src/broker/config/index.ts';
import { bytesOf, demand, type Target, textOf } from '../engine/target.ts';
import { checkProblems } from '../support/file-problems.ts';
import { projectFile, withoutComments } from '../support/files.ts';
import { lines, words, yaml } from '../support/text-mutators.ts';

export const target: Target = {
  name: 'broker-config',
  oracle:
    'a configuration that is accepted is safe by default: loopback or TLS, no raw without its profile, absolute paths',
  covers: ['src/broker/config', 'src/yaml'],
  kind: 'text',
  maxLength: 4000,
  seeds: () => [
    bytesOf(withoutComments(projectFile('config/broker.yaml'))),
    bytesOf(withoutComments(projectFile('config/qemu.yaml'))),
    bytesOf(withoutComments(projectFile('config/rehearsal-mctp.yaml'))),
  ],
  mutators: [yaml, lines, words],
  open: () => ({
    run(bytes) {
      const text = textOf(bytes);
      const parsed = parseConfig(text, '/etc/cci/broker.yaml');
      if (!parsed.ok) {
        checkProblems(parsed.problems, text);
        return;
      }
      const { config } = parsed;
      const isSafe = isLoopback(config.http.host) || 'tls' in config.http;
      demand(isSafe, `listens on ${config.http.host} in the clear`);
      for (const path of [config.stateDirectory, config.fabric, config.policyDirectory]) demand(isAbsolute(path), path);
      demand(config.rawCommands === 'off' || config.profile === 'bmc', 'raw commands in profile host');
      demand(!config.rawAllowAll || config.rawCommands !== 'off', 'an override of what is off');
      demand(!config.production || (config.rawCommands === 'off' && !config.rawAllowAll), 'raw in production');
      const isDevelopment = config.issuers.some((issuer) => 'kind' in issuer && issuer.kind === 'development');
      demand(!config.production || !isDevelopment, 'the development issuer in production');
      demand(config.switches.size > 0, 'no switch');
      for (const { neverSend } of config.switches.values()) {
        for (const opcode of neverSend.keys()) demand(opcode >= 0 && opcode <= 0xffff, `never_send ${opcode}`);
      }
    },
  }),
};
