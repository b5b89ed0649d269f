import { builtinCommands, type CommandTable, fromHex } from '../../cci/index.ts';
import { type FilePath, type FileProblem, type LocatedFile, parseYaml } from '../../yaml/index.ts';
import { closest } from '../load/closest.ts';
import {
  type AskedCommand,
  askedSubmission,
  assumedPrincipal,
  commandScopes,
  fabricTopology,
} from '../offline/index.ts';
import {
  type Fabric,
  type FabricSwitch,
  type Principal,
  type Submission,
  type TokenScope,
  tokenScopes,
} from '../types.ts';
import { mergedPosture, mergedState, opcodeOf, type Report, readPosture, readState } from './assumed.ts';
import { type CaseFile, type CommandFile, type SuiteFile, SuiteSchema } from './schema.ts';
import type { Expectation, Suite, SuiteCase, SuiteResult } from './suite.ts';

/**
 * Reads one suite, strictly: what is unknown, missing or does not fit its command is a mistake with its place. Never throws.
 *
 * @param file name to use in mistakes
 * @param commands what cases may name: the policy's own, so that they reach reviewed vendor commands
 */
export function readSuite(
  text: string,
  file: string,
  fabric: Fabric,
  commands: CommandTable = builtinCommands,
): SuiteResult {
  const parsed = parseYaml(SuiteSchema, text, file);
  if (!parsed.ok) return parsed;
  const reader = new SuiteReader(parsed.value, file, fabric, commands);
  const suite = reader.read();
  return reader.problems.length > 0 ? { ok: false, problems: reader.problems } : { ok: true, suite };
}

class SuiteReader {
  readonly problems: FileProblem[] = [];
  readonly #file: string;
  readonly #located: LocatedFile<SuiteFile>;
  readonly #fabric: Fabric;
  readonly #commands: CommandTable;
  readonly #report: Report = (path, message) => this.problems.push(this.#located.problemAt(path, message));

  constructor(located: LocatedFile<SuiteFile>, file: string, fabric: Fabric, commands: CommandTable) {
    this.#commands = commands;
    this.#located = located;
    this.#file = file;
    this.#fabric = fabric;
  }

  read(): Suite {
    const { content } = this.#located;
    const name = content.suite ?? this.#file;
    const switchName = content.switch ?? 'sw0';
    const listed = this.#fabric.switches.get(switchName);
    if (listed === undefined) {
      const known = [...this.#fabric.switches.keys()].join(', ');
      this.#report(['switch'], `the fabric file has no switch \`${switchName}\`: it has ${known}`);
      return { name, file: this.#file, cases: [] };
    }
    const principals = this.#principals(content);
    // Read once for its mistakes, which would otherwise be told for each case.
    readPosture(content.posture ?? {}, switchName, ['posture'], this.#report);
    readState(content.state ?? {}, this.#fabric, listed, ['state'], this.#report);
    if (this.problems.length > 0) return { name, file: this.#file, cases: [] };
    const cases = content.cases.flatMap((one, i) => this.#cases(one, ['cases', i], principals, listed));
    return { name, file: this.#file, cases };
  }

  #principals(content: SuiteFile): ReadonlyMap<string, Principal> {
    const principals = new Map<string, Principal>();
    for (const [key, one] of Object.entries(content.principals)) {
      const path: FilePath = ['principals', key];
      const issuer = one.issuer ?? content.issuer;
      if (!this.#fabric.tenants.includes(one.tenant)) {
        const near = closest(one.tenant, this.#fabric.tenants);
        const hint = near === undefined ? '' : `: did you mean \`${near}\`?`;
        this.#report([...path, 'tenant'], `there is no tenant \`${one.tenant}\`${hint}`);
      } else if (issuer === undefined) {
        this.#report(path, `who signed the token of \`${key}\`? Write \`issuer:\` here or at the top of the suite`);
      } else {
        principals.set(
          key,
          assumedPrincipal({
            tenant: one.tenant,
            issuer,
            subject: one.subject ?? key,
            groups: one.groups ?? [],
            scopes: this.#scopes(one.scopes ?? commandScopes, [...path, 'scopes']),
          }),
        );
      }
    }
    return principals;
  }

  #scopes(words: readonly string[], path: FilePath): readonly TokenScope[] {
    return words.flatMap((word, i) => {
      const scope = tokenScopes.find((known) => known === word);
      if (scope !== undefined) return [scope];
      this.#report([...path, i], `\`${word}\` is no scope: the scopes are ${tokenScopes.join(', ')}`);
      return [];
    });
  }

  /** Every question that one case of the file stands for: each caller with each command. */
  #cases(
    one: CaseFile,
    path: FilePath,
    principals: ReadonlyMap<string, Principal>,
    listed: FabricSwitch,
  ): readonly SuiteCase[] {
    const { content } = this.#located;
    const callers = this.#callers(one, path, principals);
    const commands = this.#listed(one, path, listed.name);
    const before = this.problems.length;
    const posture = readPosture(
      mergedPosture(content.posture, one.posture),
      listed.name,
      [...path, 'posture'],
      this.#report,
    );
    const state = readState(
      mergedState(content.state, one.state),
      this.#fabric,
      listed,
      [...path, 'state'],
      this.#report,
    );
    const topology = fabricTopology(this.#fabric, listed.name, state);
    if (topology === undefined || this.problems.length > before) return [];
    const { line, column } = this.#located.problemAt(path, '');
    const many = callers.length * commands.length > 1;
    return callers.flatMap(({ key, principal }) =>
      commands.map(({ words, submission }) => ({
        name: many ? `${one.name} [${key}: ${words}]` : one.name,
        file: this.#file,
        line,
        column,
        principal,
        submission,
        posture,
        topology,
        expectation: expectationOf(one),
      })),
    );
  }

  #callers(one: CaseFile, path: FilePath, principals: ReadonlyMap<string, Principal>) {
    const keys = typeof one.for === 'string' ? [one.for] : one.for;
    return keys.flatMap((key) => {
      const principal = principals.get(key);
      if (principal !== undefined) return [{ key, principal }];
      const near = closest(key, principals.keys());
      const hint = near === undefined ? 'list him under `principals:`' : `did you mean \`${near}\`?`;
      this.#report([...path, 'for'], `there is no principal \`${key}\`: ${hint}`);
      return [];
    });
  }

  #listed(one: CaseFile, path: FilePath, switchName: string) {
    const listed: readonly { readonly at: FilePath; readonly command: CommandFile }[] =
      one.commands === undefined
        ? [{ at: path, command: one }]
        : one.commands.map((entry, i) => ({
            at: [...path, 'commands', i],
            command: typeof entry === 'string' ? { command: entry } : entry,
          }));
    if (one.commands !== undefined && (one.command ?? one.raw ?? one.params ?? one.via) !== undefined) {
      this.#report(path, 'a case has one command or a list of `commands:`, not both');
      return [];
    }
    return listed.flatMap(({ at, command }) => this.#command(command, at, switchName));
  }

  #command(
    file: CommandFile,
    path: FilePath,
    switchName: string,
  ): readonly { readonly words: string; readonly submission: Submission }[] {
    const asked = this.#asked(file, path);
    if (asked === undefined) return [];
    const submission = askedSubmission(switchName, asked, this.#commands);
    const via = file.via === undefined ? '' : ` via ${file.via}`;
    const name = 'command' in asked ? asked.command : `raw ${file.raw?.opcode}`;
    if (submission.ok) return [{ words: `${name}${via}`, submission: submission.value }];
    const { field, message } = submission.error;
    const near =
      field === 'command'
        ? closest(
            name,
            this.#commands.rows.map(({ slug }) => slug),
          )
        : undefined;
    const hint = near === undefined || near === name ? '' : `: did you mean \`${near}\`?`;
    this.#report([...path, field], `${name}: ${message}${hint}`);
    return [];
  }

  #asked({ command, params, raw, via }: CommandFile, path: FilePath): AskedCommand | undefined {
    const route = via === undefined ? {} : { via };
    if (command !== undefined && raw === undefined) return { command, params: params ?? {}, ...route };
    if (command !== undefined || raw === undefined) {
      this.#report(path, 'a case has either `command:` or `raw:`');
      return undefined;
    }
    const opcode = opcodeOf(raw.opcode);
    const payload = fromHex((raw.payload ?? '').replace(/\s/g, ''));
    if (opcode === undefined) this.#report([...path, 'raw', 'opcode'], 'an opcode is 0x0001 to 0xffff');
    if (payload === undefined) this.#report([...path, 'raw', 'payload'], 'a payload is hex, two digits a byte');
    if (params !== undefined) this.#report([...path, 'params'], 'a raw command has a payload, no parameters');
    return opcode === undefined || payload === undefined ? undefined : { raw: { opcode, payload }, ...route };
  }
}

function expectationOf(one: CaseFile): Expectation {
  const { errno, class: commandClass, scope, reach, touches, visible } = one;
  return {
    verdict: one.expect ?? 'deny',
    rules: one.rule === undefined ? [] : typeof one.rule === 'string' ? [one.rule] : one.rule,
    ...(errno === undefined ? {} : { errno }),
    ...(commandClass === undefined ? {} : { class: commandClass }),
    ...(scope === undefined ? {} : { scope }),
    ...(reach === undefined ? {} : { reach }),
    ...(touches === undefined ? {} : { touches }),
    ...(visible === undefined ? {} : { visible }),
  };
}
