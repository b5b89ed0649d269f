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
const deadline = new Option('--deadline <span>', 'refuse it when it cannot be sent to the device within that time');
const config = new Option('--config <file>', 'configuration of the broker (default: the one of the project)');
const state = new Option(
  '--state-directory <dir>',
  'journal, taint and local issuer live here, not where the file says',
);
const journal = new Option('--journal <dir>', 'directory of the journal (default: the one of the configuration)');
const fabricFile = new Option('--fabric <file>', 'default: the one of the configuration');
const profile = new Option('--profile <name>', 'default: the one of the configuration').choices(['host', 'bmc']);
const policyDirectory = new Option('--policy <dir>', 'directory of the policy (default: the one of the configuration)');
const journalFile = new Option(
  '--journal <path>',
  'file or directory of the journal (default: the one of the configuration)',
);
const many = (one: string, all: readonly string[] | undefined): readonly string[] => [...(all ?? []), one];
const ofFlags = <T>(flags: Flags): T => flags as unknown as T;

const commands: readonly CommandSpec[] = [
  {
    name: 'serve',
    summary: 'start the broker; without a configuration an emulated switch on loopback',
    options: [
      config,
      state,
      new Option('--port <n>', 'port to listen on, instead of the configured one; 0 takes a free one'),
      new Option('--check-config', 'say everything that is wrong with the configuration, and start nothing'),
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
      new Option('--certificate <file>', 'bind it to this certificate (PEM); --dpop-key binds it to a key'),
      config,
      state,
    ],
    example:
      'export CCI_TOKEN=$(cci token issue --tenant acme --subject alice --group operators --scope "cci:read cci:config")',
    run: async (io, _operands, flags) => (await import('./token.ts')).issueToken(io, ofFlags(flags)),
  },
  {
    name: 'token key',
    summary: 'make the key file that binds your tokens, where there is none, and print what an issuer binds them to',
    example: 'cci token key --dpop-key ~/.cci-dpop.jwk',
    run: async (io, _operands, flags) => (await import('./token.ts')).showKey(io, ofFlags(flags)),
  },
  {
    name: 'token revoke',
    summary: 'take tokens back before their time, at once: one, all of a subject, of a tenant, or of a key',
    options: [
      new Option('--id <id>', 'one token, as records name it: jti:ISSUER#JTI; or its jti, with --issuer'),
      new Option('--subject <name>', 'all of a subject, also later ones: user:ISSUER#SUB; or his sub, with --issuer'),
      new Option('--tenant <name>', 'all of a tenant, also later ones'),
      new Option('--key <name>', 'all of a key: a thumbprint or kid:ISSUER#KID; or its kid, with --issuer'),
      new Option('--issuer <url>', 'whose jti, sub or kid it is'),
      new Option('--for <span>', 'ends by itself after that, such as 12h or 30d (default: never)'),
      new Option('--lift <id>', 'take a revocation back instead: its id in `cci token revocations`'),
      new Option('--reason <text>', 'goes into the journal'),
    ],
    example: 'cci token revoke --subject alice --issuer https://idp.example --reason "laptop stolen"',
    run: async (io, _operands, flags) => (await import('./revocations.ts')).revoke(io, ofFlags(flags)),
  },
  {
    name: 'token revocations',
    summary: 'revocations in force',
    example: 'cci token revocations',
    run: async (io, _operands, flags) => (await import('./revocations.ts')).revocations(io, flags),
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
    options: [via, params, wait, deadline],
    example: 'cci run bind-vppb --vcs-id 0 --vppb-id 2 --physical-port-id 3 --ld-id 1 --wait',
    run: async (io, words, flags) => (await import('./run.ts')).run(io, words, ofFlags(flags)),
  },
  {
    name: 'raw',
    summary: 'send an opcode down the raw path: off unless the operators turned it on, and it taints the switch',
    operands: [new Argument('<opcode>', '0x0001 to 0xffff')],
    options: [payload, via, wait, deadline],
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
    name: 'events',
    summary: 'what happened to what is yours: links, bindings, errors, dynamic capacity',
    options: [
      new Option('-f, --follow', 'go on with events as they come'),
      new Option('--after <id>', 'only what is behind this event; `now`: only what comes'),
    ],
    example: 'cci events --follow',
    run: async (io, _operands, flags) => (await import('./events.ts')).events(io, ofFlags(flags)),
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
    name: 'taint acknowledge',
    summary: 'say that you have looked at a bit: what it froze goes on, the bit stays',
    operands: [new Argument('<letter>', 'letter of the register')],
    options: [
      new Option('--scope <path>', 'path that it was raised on (default: the switch)'),
      new Option('--reason <text>', 'goes into the journal'),
    ],
    example: 'cci taint acknowledge M --scope /switches/sw0/ports/3 --reason "firmware bug 4711"',
    run: async (io, [letter = ''], flags) =>
      (await import('./posture.ts')).acknowledgeTaint(io, letter, ofFlags(flags)),
  },
  {
    name: 'topology show',
    summary: 'ports and bindings as the broker knows them, and what moved without it',
    example: 'cci topology show',
    run: async (io, _operands, flags) => (await import('./topology.ts')).showTopology(io, flags),
  },
  {
    name: 'topology accept',
    summary: 'take the fabric as it is, after something moved without the broker',
    options: [
      new Option('--reason <text>', 'goes into the journal'),
      new Option('--picture <name>', 'what you have looked at (default: what is there now)'),
    ],
    example: 'cci topology accept --reason "port 3 was rebound by hand"',
    run: async (io, _operands, flags) => (await import('./topology.ts')).acceptTopology(io, ofFlags(flags)),
  },
  {
    name: 'policy check',
    summary:
      "check a policy directory with the strict loader and a reviewer's eye, without a broker; ends with 1 when something is wrong",
    operands: [new Argument('[directory]', 'default: the one of the configuration')],
    options: [
      fabricFile,
      profile,
      new Option('--strict-warnings', 'end with 1 for warnings too'),
      new Option('--show-silenced', 'list the findings that comments in the files silence'),
      config,
    ],
    example: 'cci policy check policies',
    run: async (io, [directory], flags) => (await import('./policy/check.ts')).check(io, directory, ofFlags(flags)),
  },
  {
    name: 'policy test',
    summary: 'run test suites against a policy, without a broker; ends with 1 when a case fails',
    operands: [new Argument('[suite...]', 'files or directories (default: `tests` beside the policy)')],
    options: [
      policyDirectory,
      fabricFile,
      profile,
      new Option('--coverage', 'list the rows that decided no case'),
      new Option('--coverage-min <percent>', 'end with 1 when less of the rows decided a case'),
      config,
    ],
    example: 'cci policy test --coverage',
    run: async (io, suites, flags) => (await import('./policy/test.ts')).testPolicy(io, suites, ofFlags(flags)),
  },
  {
    name: 'policy explain',
    summary: 'take a decision with the policy files alone and tell all that it rested on; ends with 3 when denied',
    fields: true,
    options: [
      new Option('--tenant <name>', 'tenant of the caller'),
      new Option('--subject <name>', 'who he is (default: somebody)'),
      new Option('--group <name>', 'a group of his; may be repeated').argParser(many),
      new Option('--issuer <url>', 'who signed his token (default: the local development issuer)'),
      new Option('--scope <words>', 'what his token may be used for (default: every scope of commands)'),
      via,
      params,
      payload,
      policyDirectory,
      fabricFile,
      profile,
      new Option('--lockdown <level>', 'none, integrity or confidentiality (default: the configured one)'),
      new Option('--under-lockdown <what>', 'what is left under lockdown: allow, reads or off'),
      new Option('--raw-commands <word>', 'off or taints-this-switch (default: the configured one)'),
      new Option('--bind <vcs/vppb=port[/ld]>', 'what is attached where; may be repeated').argParser(many),
      new Option('--device <port=kind>', 'none, sld, mld, other or unknown; may be repeated').argParser(many),
      new Option('--usp <vcs=port>', 'upstream port of a virtual switch; may be repeated').argParser(many),
      new Option('--taint <letter[@path]>', 'a bit that nobody acknowledged; may be repeated').argParser(many),
      config,
    ],
    example:
      'cci policy explain bind-vppb --vcs-id 0 --vppb-id 1 --physical-port-id 2 --ld-id 65535 --tenant acme --group operators',
    run: async (io, words, flags) => (await import('./policy/explain.ts')).explainPolicy(io, words, ofFlags(flags)),
  },
  {
    name: 'policy diff',
    summary: 'what a new policy means that the old one did not; ends with 3 when anybody may do more',
    operands: [new Argument('<old>', 'policy directory'), new Argument('<new>', 'policy directory')],
    options: [
      fabricFile,
      new Option('--old-fabric <file>', 'fabric file of the old policy (default: the same)'),
      profile,
      config,
    ],
    example: 'cci policy diff policies policies-next',
    run: async (io, [before = '', after = ''], flags) =>
      (await import('./policy/diff.ts')).diff(io, before, after, ofFlags(flags)),
  },
  {
    name: 'policy matrix',
    summary: 'who can do what, as a table or as a page',
    operands: [new Argument('[directory]', 'default: the one of the configuration')],
    options: [
      new Option('--tenant <name>', 'only this tenant'),
      new Option('--command <word>', 'only this slug or selector, such as set:virtual-switch'),
      new Option('--resource <path>', 'only this object, or all at and below it with /*'),
      new Option('--html <file>', 'write a page that needs nothing else'),
      fabricFile,
      profile,
      config,
    ],
    example: 'cci policy matrix policies --tenant acme',
    run: async (io, [directory], flags) => (await import('./policy/matrix.ts')).matrix(io, directory, ofFlags(flags)),
  },
  {
    name: 'policy query',
    summary: 'ask the policy: yes with somebody who can, or no with what stands against it; ends with 3 for no',
    operands: [
      new Argument(
        '<question...>',
        '`can WHO [of TENANT] [ever] COMMAND on RESOURCE` or `who can COMMAND on RESOURCE`',
      ),
    ],
    options: [policyDirectory, fabricFile, profile, config],
    example: 'cci policy query "can globex ever bind-vppb on /switches/sw0/ports/4"',
    run: async (io, words, flags) => (await import('./policy/query.ts')).query(io, words, ofFlags(flags)),
  },
  {
    name: 'policy replay',
    summary:
      'past decisions under another policy; ends with 3 when a past denial would be allowed, with 1 when only past commands would be denied',
    options: [journalFile, policyDirectory, fabricFile, profile, config, state],
    example: 'cci policy replay --journal var/journal --policy policies-next',
    run: async (io, _operands, flags) => (await import('./policy/replay.ts')).replay(io, ofFlags(flags)),
  },
  {
    name: 'policy learn',
    summary: 'propose the least grants that cover what a tenant has used, as a file of rows',
    options: [
      new Option('--tenant <name>', 'whose callers').makeOptionMandatory(),
      new Option('--generalize <n>', 'fold rows into sets, classes and own where one row adds at most n unused pairs'),
      journalFile,
      policyDirectory,
      fabricFile,
      profile,
      config,
      state,
    ],
    example: 'cci policy learn --journal var/journal --tenant acme > acme.csv',
    run: async (io, _operands, flags) => (await import('./policy/learn.ts')).learn(io, ofFlags(flags)),
  },
  {
    name: 'console open',
    summary: 'a recorded terminal on the machine of the broker, for what no policy can decode',
    operands: [new Argument('<program>', 'one of those that `cci console list` shows')],
    options: [
      new Option('--reason <text>', 'goes into the journal, and to the second person'),
      new Option('--duration <span>', 'at most so long, such as 30m (default: the limit of the program)'),
      new Option(
        '--escape <character>',
        'what leaves it with `.` behind it: ~, ^] or another; none: nothing does',
      ).default('~'),
    ],
    example: 'cci console open vendor-tool --reason "port 7 does not train, case 4711" --duration 30m',
    run: async (io, [program = ''], flags) =>
      (await import('./console/open.ts')).openTerminal(io, program, ofFlags(flags)),
  },
  {
    name: 'console list',
    summary: 'programs that you may open, requests that wait for a second person, consoles that are open',
    example: 'cci console list',
    run: async (io, _operands, flags) => (await import('./console/list.ts')).listConsoles(io, flags),
  },
  {
    name: 'console watch',
    summary: 'look on at a console as it happens; q goes, K ends it',
    operands: [new Argument('<id>', 'session')],
    example: 'cci console watch 0198f7c2-2b7e-7cc3-9c0c-3f5f6f0e1d2a',
    run: async (io, [id = ''], flags) => (await import('./console/watch.ts')).watchTerminal(io, id, flags),
  },
  {
    name: 'console kill',
    summary: 'end a console of somebody else at once',
    operands: [new Argument('<id>', 'session')],
    options: [new Option('--reason <text>', 'goes into the journal')],
    example: 'cci console kill 0198f7c2-2b7e-7cc3-9c0c-3f5f6f0e1d2a --reason "wrong switch"',
    run: async (io, [id = ''], flags) => (await import('./console/list.ts')).killConsole(io, id, ofFlags(flags)),
  },
  {
    name: 'console approve',
    summary: 'say yes, as the second person, to the console that somebody else wants',
    operands: [new Argument('<request>', 'request')],
    options: [new Option('--digest <digest>', 'what the other person was shown; asked for where it is not given')],
    example: 'cci console approve 0198f7c2-2b7e-7cc3-9c0c-3f5f6f0e1d2a',
    run: async (io, [id = ''], flags) => (await import('./console/list.ts')).approveConsole(io, id, ofFlags(flags)),
  },
  {
    name: 'console deny',
    summary: 'say no to it, or take a request of your own back',
    operands: [new Argument('<request>', 'request')],
    options: [new Option('--reason <text>', 'goes into the journal')],
    example: 'cci console deny 0198f7c2-2b7e-7cc3-9c0c-3f5f6f0e1d2a --reason "wait for the morning"',
    run: async (io, [id = ''], flags) => (await import('./console/list.ts')).denyConsole(io, id, ofFlags(flags)),
  },
  {
    name: 'console play',
    summary: 'show a recording again, search it or print its text; nothing in it can do anything to your terminal',
    operands: [new Argument('<recording>', 'file, or id of a session of the local broker')],
    options: [
      new Option('--speed <n>', 'how many times as fast').default('1'),
      new Option('--idle-limit <span>', 'longest pause, such as 2s'),
      new Option('--from <moment>', 'begin there: 75, 1:15, 1:02:03 or 90s'),
      new Option('--to <moment>', 'end there'),
      new Option('--search <text>', 'lines that hold the text, with their moments; ends with 1 when there is none'),
      new Option('--text', 'what was shown, as lines with their moments'),
      new Option('--key <file>', 'private key of recordings, for an encrypted one'),
      config,
      state,
    ],
    example: 'cci console play 0198f7c2-2b7e-7cc3-9c0c-3f5f6f0e1d2a --speed 4 --idle-limit 2s --key recordings.pem',
    run: async (io, [name = ''], flags) => (await import('./console/play.ts')).play(io, name, ofFlags(flags)),
  },
  {
    name: 'console key',
    summary: 'make a pair of keys that recordings are encrypted with',
    options: [new Option('--out <file>', 'new file for the private key; the public one is printed')],
    example: 'cci console key --out recordings-private.pem > recordings.pem',
    run: async (io, _operands, flags) => (await import('./console/key.ts')).consoleKey(io, ofFlags(flags)),
  },
  {
    name: 'audit tail',
    summary: 'last records of the local journal',
    options: [
      new Option('-n, --lines <n>', 'how many').default('20'),
      new Option('-f, --follow', 'go on with records as they are written'),
      new Option('--tenant <name>', 'only of this tenant'),
      new Option('--principal <name>', 'only of this principal, user:ISSUER#SUB'),
      new Option('--class <class>', 'only of this class').choices(['allowlisted', 'audited', 'raw']),
      new Option('--flag <flag>', 'only with this flag').choices([
        'unaudited',
        'denied',
        'cross-tenant',
        'shadow',
        'unknown-outcome',
      ]),
      new Option('--kind <kind>', 'only of this kind, may be repeated (default: all but checkpoints)').argParser(many),
      new Option('--since <moment>', 'not before: 15m, 2h or 1d ago, or 2026-03-01T08:00:00Z'),
      new Option('--until <moment>', 'before this moment'),
      journal,
      config,
      state,
    ],
    example: 'cci audit tail --lines 50 --tenant acme --flag denied --since 2h',
    run: async (io, _operands, flags) => (await import('./audit-tail.ts')).tail(io, ofFlags(flags)),
  },
  {
    name: 'audit show',
    summary: 'the story of one request: who asked, what was decided and by which rule, what became of it',
    operands: [new Argument('<id>', 'request id')],
    options: [new Option('--records', 'the records themselves, member by member'), journal, config, state],
    example: 'cci audit show 0198f7c2-2b7e-7cc3-9c0c-3f5f6f0e1d2a',
    run: async (io, [id = ''], flags) => (await import('./audit-show.ts')).showId(io, id, ofFlags(flags)),
  },
  {
    name: 'audit verify',
    summary:
      'check every record, the chain of hashes, the signatures and the recordings of consoles, here or of a copy',
    options: [
      new Option('--key <file>', 'public key (`cci audit key`), may be repeated').argParser(many),
      new Option('--witness <file>', 'checkpoints that were kept elsewhere, may be repeated').argParser(many),
      new Option('--recordings <dir>', 'recordings of consoles (default: `recordings` beside the journal)'),
      journal,
      config,
      state,
    ],
    example: 'cci audit verify --journal copy --key journal-key.pem --witness witness.jsonl',
    run: async (io, _operands, flags) => (await import('./audit-verify.ts')).verify(io, ofFlags(flags)),
  },
  {
    name: 'audit key',
    summary: 'print the public key that the journal is verified with',
    options: [journal, config, state],
    example: 'cci audit key > journal-key.pem',
    run: async (io, _operands, flags) => (await import('./audit-key.ts')).key(io, ofFlags(flags)),
  },
  {
    name: 'audit schema',
    summary: 'print the JSON Schema of records',
    example: 'cci audit schema',
    run: async (io) => (await import('./audit-key.ts')).schema(io),
  },
  {
    name: 'devices',
    summary: 'Switch CCIs of this machine, who has them, and what to run to hand one over',
    example: 'cci devices --json',
    run: async (io, _operands, flags) => (await import('./devices.ts')).devices(io, ofFlags(flags)),
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
    name: 'agent',
    summary: 'an MCTP endpoint beside a tool that knows no tokens: adds yours and relays to the broker',
    options: [
      new Option('--listen <host:port>', 'address to listen on').default('127.0.0.1:2508'),
      new Option('--dialect <name>', 'how the tool lays out messages').choices(['spec', 'jackrabbit']).default('spec'),
      new Option('--token-command <command>', 'prints your token; run again before it ends'),
      new Option('--insecure-network', 'listen where others than this machine can connect'),
    ],
    example: 'cci agent --listen 127.0.0.1:2508 --dialect jackrabbit --token-file ~/.cci-token',
    run: async (io, _operands, flags) => (await import('./agent.ts')).agent(io, ofFlags(flags)),
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
  token: 'tokens of the local development issuer, keys that bind tokens, revocations',
  lockdown: 'how much the broker still lets through',
  topology: 'what is where, and what moved without the broker',
  policy: 'policy files: check, test, explain, compare, ask, replay, learn; none of it needs a broker',
  console: 'break-glass terminals: recorded, bounded, watched',
  audit: 'the local journal: what was asked, decided, sent and answered',
};

const EPILOGUE = `
Environment: CCI_URL, CCI_TOKEN, CCI_TOKEN_FILE, CCI_SWITCH, CCI_CA, CCI_CERT, CCI_KEY, NO_COLOR.
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
    .option('--dpop-key <file>', 'key that binds your token: each request proves it (`cci token key`)')
    .option('--ca <file>', "who signs the broker's certificate (PEM)")
    .option('--cert <file>', 'certificate that binds your token (PEM)')
    .option('--cert-key <file>', 'its private key (PEM)')
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
