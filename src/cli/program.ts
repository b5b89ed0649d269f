import { Argument, Command, CommanderError, Option } from 'commander';
import { commanderSentence } from './commander-sentence.ts';
import type { CommonFlags } from './connection.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import type { Io } from './io.ts';
import { UsageError } from './usage-error.ts';

type Run = (io: Io, operands: readonly string[], flags: Flags) => Promise<ExitCode>;
// Commander has checked names and arity; what a flag holds is checked where it is used.
type Flags = CommonFlags & { readonly [name: string]: string | boolean | string[] | undefined };

/** One command: what it is, how it is called, and where its code is. Code is loaded when the command is called. */
interface CommandSpec {
  /** `show VIEW`: words of the command, then its operands. */
  readonly name: string;
  readonly summary: string;
  readonly operands?: readonly Argument[];
  readonly options?: readonly Option[];
  readonly example: string;
  /** Its further words are read by itself: they depend on the slug. */
  readonly fields?: true;
  readonly hidden?: true;
  readonly run: Run;
}

const VIEWS = ['switch', 'ports', 'vcs', 'lds', 'commands', 'taint', 'lockdown', 'operations'];

const via = new Option('--via <path>', 'tunnel: port:3, port:3/ld:1 or port:3/ldpool');
const params = new Option('--params <json>', 'all fields at once, as JSON');
const payload = new Option('--payload <hex>', 'payload, two hex digits a byte');
const wait = new Option('--wait', 'wait until a background operation has ended');
const config = new Option('--config <file>', 'configuration of the broker (default: the one of the project)');
const state = new Option(
  '--state-directory <dir>',
  'journal, taint and local issuer live here, not where the file says',
);
const journal = new Option('--journal <dir>', 'directory of the journal (default: the one of the configuration)');
const ofFlags = <T>(flags: Flags): T => flags as unknown as T;

const commands: readonly CommandSpec[] = [
  {
    name: 'serve',
    summary: 'start the broker; without a configuration an emulated switch on loopback',
    options: [
      config,
      state,
      new Option('--port <n>', 'port to listen on, instead of the configured one; 0 takes a free one'),
    ],
    example: 'cci serve --config config/broker.yaml',
    run: async (io, _operands, flags) => (await import('./serve.ts')).serve(io, ofFlags(flags)),
  },
  {
    name: 'token issue',
    summary: 'print a token of the local development issuer',
    options: [
      new Option('--tenant <name>', 'tenant that the token speaks for').makeOptionMandatory(),
      new Option('--subject <name>', 'who it is').makeOptionMandatory(),
      new Option('--group <name>', 'a group of his; may be repeated').argParser<string[]>((one, all) => [
        ...(all ?? []),
        one,
      ]),
      new Option('--scope <words>', 'what the token may be used for at most (default: cci:read)'),
      new Option('--ttl <span>', 'how long it lives, such as 15m or 1h').default('1h'),
      config,
      state,
    ],
    example:
      'export CCI_TOKEN=$(cci token issue --tenant acme --subject alice --group operators --scope "cci:read cci:config")',
    run: async (io, _operands, flags) => (await import('./token.ts')).issueToken(io, ofFlags(flags)),
  },
  {
    name: 'whoami',
    summary: 'who the token says you are, and what you own',
    example: 'cci whoami --json',
    run: async (io, _operands, flags) => (await import('./views.ts')).whoami(io, flags),
  },
  {
    name: 'switches',
    summary: 'switches on which you have something',
    example: 'cci switches',
    run: async (io, _operands, flags) => (await import('./views.ts')).switches(io, flags),
  },
  {
    name: 'show',
    summary: 'a table of what you can see',
    operands: [new Argument('<view>', 'what to show').choices(VIEWS)],
    example: 'cci show ports',
    run: async (io, [view = ''], flags) => (await import('./show/index.ts')).show(io, view, flags),
  },
  {
    name: 'run',
    summary: 'run a command of the catalogue; `cci run SLUG --help` lists its fields',
    fields: true,
    options: [via, params, wait],
    example: 'cci run bind-vppb --vcs-id 0 --vppb-id 2 --physical-port-id 3 --ld-id 1 --wait',
    run: async (io, words, flags) => (await import('./run.ts')).run(io, words, ofFlags(flags)),
  },
  {
    name: 'raw',
    summary: 'send an opcode down the raw path: off unless the operators turned it on, and it taints the switch',
    operands: [new Argument('<opcode>', '0x0001 to 0xffff')],
    options: [payload, via, wait],
    example: 'cci raw 0xc010 --payload 00ff',
    run: async (io, [opcode = ''], flags) => (await import('./run.ts')).raw(io, opcode, ofFlags(flags)),
  },
  {
    name: 'can',
    summary: 'decide a command without running it: may I, and if not, why not; ends with 3 when denied',
    fields: true,
    options: [via, params, payload],
    example:
      'cci can unbind-vppb --vcs-id 0 --vppb-id 2 --option managed-hot-remove\n  $ cci can raw 0xc010 --payload 00ff',
    run: async (io, words, flags) => (await import('./can.ts')).can(io, words, ofFlags(flags)),
  },
  {
    name: 'lockdown raise',
    summary: 'raise the lockdown level; it does not fall before the next boot',
    operands: [new Argument('<level>', 'integrity or confidentiality').choices(['integrity', 'confidentiality'])],
    options: [new Option('--reason <text>', 'goes into the journal')],
    example: 'cci lockdown raise integrity --reason "incident 4711"',
    run: async (io, [level = ''], flags) => (await import('./posture.ts')).raiseLockdown(io, level, ofFlags(flags)),
  },
  {
    name: 'taint',
    summary: 'the taint register: which bits, raised by whom, when, why',
    example: 'cci taint',
    run: async (io, _operands, flags) => (await import('./posture.ts')).showTaint(io, flags),
  },
  {
    name: 'policy check',
    summary: 'check a policy directory with the strict loader, without a broker; ends with 1 when something is wrong',
    operands: [new Argument('[directory]', 'default: the one of the configuration')],
    options: [
      new Option('--fabric <file>', 'default: the one of the configuration'),
      new Option('--profile <name>', 'default: the one of the configuration').choices(['host', 'bmc']),
      config,
    ],
    example: 'cci policy check policies',
    run: async (io, [directory], flags) => (await import('./policy/check.ts')).check(io, directory, ofFlags(flags)),
  },
  {
    name: 'audit tail',
    summary: 'last records of the local journal',
    options: [
      new Option('-n, --lines <n>', 'how many').default('20'),
      new Option('-f, --follow', 'go on with records as they are written'),
      journal,
      config,
      state,
    ],
    example: 'cci audit tail --lines 50',
    run: async (io, _operands, flags) => (await import('./audit.ts')).tail(io, ofFlags(flags)),
  },
  {
    name: 'audit show',
    summary: 'everything that the journal has about one request',
    operands: [new Argument('<id>', 'request id')],
    options: [journal, config, state],
    example: 'cci audit show 0198f7c2-2b7e-7cc3-9c0c-3f5f6f0e1d2a',
    run: async (io, [id = ''], flags) => (await import('./audit.ts')).showId(io, id, ofFlags(flags)),
  },
  {
    name: 'audit verify',
    summary: 'check every record and the chain of hashes of the local journal',
    options: [journal, config, state],
    example: 'cci audit verify',
    run: async (io, _operands, flags) => (await import('./audit.ts')).verify(io, ofFlags(flags)),
  },
  {
    name: 'emulate',
    summary: 'the bare emulated switch on the wire (MCTP over TCP), without a broker',
    options: [
      new Option('--topology <file>', 'what the switch is made of').makeOptionMandatory(),
      new Option('--listen <host:port>', 'address to listen on').default('127.0.0.1:2508'),
      new Option('--dialect <name>', 'how peers lay out messages').choices(['spec', 'jackrabbit']).default('spec'),
      new Option('--support <mode>', 'strict refuses (0015h) what the specification keeps from a CCI class')
        .choices(['all', 'strict'])
        .default('all'),
      new Option('--seed <n>', 'seed of everything that is random in it'),
      new Option('--faults <file>', 'YAML file of faults to rehearse: see docs/emulator.md'),
    ],
    example: 'cci emulate --topology config/topologies/small.yaml --listen 127.0.0.1:2508',
    run: async (io, _operands, flags) => (await import('./emulate.ts')).emulate(io, ofFlags(flags)),
  },
  {
    name: 'completion',
    summary: 'print a script that completes commands, flags and slugs in your shell',
    operands: [new Argument('<shell>', 'your shell').choices(['bash', 'zsh', 'fish'])],
    example: 'source <(cci completion bash)',
    run: async (io, [shell = '']) => (await import('./completion.ts')).completion(io, shell),
  },
];

const GROUPS: { readonly [name: string]: string } = {
  token: 'tokens of the local development issuer',
  lockdown: 'how much the broker still lets through',
  audit: 'the local journal: what was asked, decided, sent and answered',
};

const EPILOGUE = `
Environment: CCI_URL, CCI_TOKEN, CCI_TOKEN_FILE, CCI_SWITCH, NO_COLOR.
Status: 0 done, 1 failed, 2 usage, 3 denied, 4 the device answered with an error code,
        5 broker or device unreachable.

Example:
  $ cci serve
  $ export CCI_TOKEN=$(cci token issue --tenant acme --subject alice)
  $ cci show ports`;

/** Runs one command line. Throws what `report` turns into a message; never ends the process. */
export async function runProgram(io: Io, words: readonly string[]): Promise<ExitCode> {
  const first = words[0];
  if (first === '--version' || first === '-V') {
    io.out(`${await (await import('./version.ts')).version()}\n`);
    return EXIT.done;
  }
  const outcome: { code: ExitCode } = { code: EXIT.done };
  const program = buildProgram(io, outcome);
  if (first === 'complete')
    return (await import('./complete.ts')).complete(io, program, words.slice(words[1] === '--' ? 2 : 1));
  try {
    await program.parseAsync([...words], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return EXIT.done;
    // Without a command Commander prints the help and calls that an error.
    if (error.code === 'commander.help') return EXIT.usage;
    const [sentence = '', hint] = commanderSentence(error).split('\n');
    throw new UsageError(
      sentence,
      hint?.replace(/^\(|\)$/g, '') ?? `\`cci ${helpOf(words)}--help\` says how it is called`,
    );
  }
  return outcome.code;
}

/** The command that was meant, so that the right help is pointed to. */
function helpOf(words: readonly string[]): string {
  const name = words.filter((word) => !word.startsWith('-')).slice(0, 2);
  const spec = commands.find((one) => one.name === name.join(' ') || one.name === name[0]);
  return spec === undefined ? '' : `${spec.name} `;
}

function buildProgram(io: Io, outcome: { code: ExitCode }): Command {
  const program = new Command('cci')
    .description('Commands to a CXL switch through a broker that decides, records and filters them.')
    .option('--url <url>', 'broker (default: http://127.0.0.1:8420)')
    .option('--token <jwt>', 'your token; other processes can see it here, --token-file is better')
    .option('--token-file <file>', 'file that holds your token')
    .option('--switch <name>', 'switch that commands go to (default: sw0)')
    .option('--json', 'print data as JSON')
    .addHelpText('after', EPILOGUE);
  quiet(program, io);
  program.helpCommand(false);
  for (const spec of commands) addCommand(program, spec, io, outcome);
  return program;
}

function quiet(command: Command, io: Io): Command {
  return command
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ writeOut: io.out, writeErr: (text) => (text.startsWith('error:') ? undefined : io.err(text)) });
}

function addCommand(program: Command, spec: CommandSpec, io: Io, outcome: { code: ExitCode }): void {
  const words = spec.name.split(' ');
  const leaf = words.at(-1) ?? '';
  const parent = words.length > 1 ? group(program, words[0] ?? '', io) : program;
  const command = quiet(parent.command(leaf), io).summary(spec.summary).description(spec.summary);
  command.addHelpText('after', `\nExample:\n  $ ${spec.example}`);
  for (const option of spec.options ?? []) command.addOption(option);
  for (const operand of spec.operands ?? []) command.addArgument(operand);
  if (spec.fields) {
    command.argument('<slug>', 'command of the catalogue').argument('[fields...]', '--field value ...');
    command.allowUnknownOption().allowExcessArguments().helpOption(false);
  }
  command.action(async () => {
    if (spec.fields && isHelp(command.args[0])) return command.outputHelp();
    outcome.code = await spec.run(io, command.args, command.optsWithGlobals());
  });
}

function isHelp(word: string | undefined): boolean {
  return word === '--help' || word === '-h';
}

function group(program: Command, name: string, io: Io): Command {
  const there = program.commands.find((command) => command.name() === name);
  if (there !== undefined) return there;
  const summary = GROUPS[name] ?? '';
  const made = quiet(program.command(name), io).summary(summary).description(summary);
  made.helpCommand(false);
  const examples = commands.filter((spec) => spec.name.startsWith(`${name} `)).map((spec) => `  $ ${spec.example}`);
  return made.addHelpText('after', `\nExamples:\n${examples.join('\n')}`);
}
