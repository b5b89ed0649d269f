import { type Logger, pino } from 'pino';
import { loadTopology } from '../backend/emulator/index.ts';
import { formatProblem } from '../yaml/index.ts';
import { checkIssuers } from './auth/index.ts';
import { authoritiesFlaw, createIssuers } from './auth/issuers.ts';
import { openRevocations } from './authentication-open.ts';
import { type BrokerConfig, loadConfig } from './config/index.ts';
import { openSigningKey } from './journal/index.ts';
import { policyLoader } from './policy-load.ts';

/** What a look at a configuration came to. */
export interface ConfigReport {
  /** What a start would stumble over, in sentences. */
  readonly problems: readonly string[];
  /** Undefined where the file is not well formed: then only that was looked at. */
  readonly config: BrokerConfig | undefined;
  /** What was found in order, in words. */
  readonly sound: readonly string[];
}

/**
 * Looks at everything that a configuration names, all problems at once, and changes nothing: no device is opened, no port,
 * no file written, nothing fetched.
 */
export async function checkConfig(path: string, log: Logger): Promise<ConfigReport> {
  const loaded = await loadConfig(path);
  const problems = loaded.ok ? [] : loaded.problems.map(formatProblem);
  const { config } = loaded;
  if (config === undefined) return { problems, config, sound: [] };
  const sound: string[] = [];
  for (const look of [policyOf, issuersOf, revocationsOf, signingKeyOf, topologiesOf]) {
    const found = await look(config, log);
    problems.push(...found.problems);
    sound.push(...found.sound);
  }
  return { problems: [...new Set(problems)], config, sound };
}

type Look = Pick<ConfigReport, 'problems' | 'sound'>;

async function policyOf(config: BrokerConfig, log: Logger): Promise<Look> {
  const read = await policyLoader(config, undefined, log)();
  if (!read.ok) return { problems: read.problems.map((problem) => `policy: ${problem}`), sound: [] };
  const rows = read.policy?.rules.grants.length ?? 0;
  return { problems: [], sound: [`policy: ${rows} grants of ${config.policyDirectory}`] };
}

async function issuersOf(config: BrokerConfig): Promise<Look> {
  // What is not for production was said with the file.
  const rules = checkIssuers(config.issuers);
  if (!rules.ok) return { problems: rules.error, sound: [] };
  // A key behind a URL is not fetched, and the development issuer's is made when it is first needed.
  const files = rules.value.filter(({ keys }) => keys.kind === 'file');
  const read = await createIssuers(files, { clock: { now: Date.now }, developmentDirectory: config.stateDirectory });
  if (!read.ok) return { problems: read.error, sound: [] };
  const remote = rules.value.filter(({ keys }) => keys.kind === 'url');
  const flaws = await Promise.all(remote.map((one) => authoritiesFlaw(one, {})));
  const problems = flaws.flatMap((flaw, i) => (flaw === undefined ? [] : [`issuer \`${remote[i]?.issuer}\`: ${flaw}`]));
  if (problems.length > 0) return { problems, sound: [] };
  return {
    problems: [],
    sound: [
      `issuers: ${rules.value.map(({ issuer }) => issuer).join(', ')}`,
      ...remote.map(({ issuer }) => `issuer ${issuer}: its keys are fetched when the broker starts, not now`),
    ],
  };
}

async function revocationsOf(config: BrokerConfig): Promise<Look> {
  try {
    const count = (await openRevocations(config)).list().length;
    return { problems: [], sound: count === 0 ? [] : [`revocations: ${count} in force`] };
  } catch (error) {
    return { problems: [error instanceof Error ? error.message : String(error)], sound: [] };
  }
}

async function signingKeyOf({ journal: { signingKey } }: BrokerConfig): Promise<Look> {
  if (signingKey === undefined)
    return { problems: [], sound: ['journal: a key to sign it is made at the first start'] };
  try {
    const { signer } = await openSigningKey(signingKey, { make: false });
    return { problems: [], sound: [`journal: signed with key ${signer.keyId}`] };
  } catch (error) {
    return { problems: [`journal: ${error instanceof Error ? error.message : String(error)}`], sound: [] };
  }
}

async function topologiesOf({ switches }: BrokerConfig): Promise<Look> {
  const problems: string[] = [];
  const sound: string[] = [];
  for (const [name, { backend }] of switches) {
    sound.push(`switch ${name}: backend ${backend.kind}, not opened`);
    if (backend.kind !== 'emulator') continue;
    try {
      loadTopology(backend.topology);
    } catch (error) {
      const told = error instanceof Error ? error.message.split('\n') : [String(error)];
      problems.push(...told.map((problem) => `switch ${name}: ${problem}`));
    }
  }
  return { problems, sound };
}

/** For whoever looks without a broker: what it found comes back, nothing is said besides. */
export function silentLog(): Logger {
  return pino({ level: 'silent' });
}
