import type {
  CommandAnswer,
  CommandRequest,
  CoreApi,
  CoreResult,
  Credential,
  Problem,
  ProblemCode,
} from '../../src/broker/core-api.ts';
import { decodeRequestMessage, encodeMessage, RC, returnCodeName, rowBySlug } from '../../src/cci/index.ts';

/** A call that the edge made, for tests that ask what reached the core. */
export interface Call {
  readonly method: keyof CoreApi;
  readonly credential?: Credential;
  readonly switch?: string;
  readonly request?: CommandRequest;
  readonly arguments?: readonly unknown[];
}

export interface FakeCore extends CoreApi {
  readonly calls: Call[];
}

export const GOOD_TOKEN = 'good.token.sig';

export const problem = (code: ProblemCode, more: Partial<Problem> = {}): Problem => ({
  code,
  detail: `refused with ${code}`,
  requestId: 'req-1',
  returnCode: RC.invalidInput,
  ...more,
});

export const refused = (code: ProblemCode, more: Partial<Problem> = {}) =>
  ({ ok: false, problem: problem(code, more) }) as const;

export const answered = (more: Partial<CommandAnswer> = {}): CoreResult<CommandAnswer> => ({
  ok: true,
  value: {
    requestId: 'req-1',
    class: 'allowlisted',
    returnCode: 0,
    returnCodeName: 'success',
    vendorStatus: 0,
    payload: new Uint8Array(0),
    ...more,
  },
});

/**
 * A core that knows one token and answers every command with success and an empty payload. Any method can be replaced;
 * every call is kept.
 */
export function fakeCore(replace: Partial<CoreApi> = {}): FakeCore {
  const calls: Call[] = [];
  const authenticated = <T>(credential: Credential, value: T): CoreResult<T> =>
    credential.token === GOOD_TOKEN ? { ok: true, value } : refused('EAUTH', { detail: 'the token is not valid' });
  const base: CoreApi = {
    submit: async (credential, name, request) => {
      if (credential.token !== GOOD_TOKEN) return refused('EAUTH');
      if (name !== 'sw0') return refused('ENOENT');
      if (request.kind === 'named' && rowBySlug(request.command) === undefined) return refused('EPARAM');
      if (request.kind !== 'message') return answered({ class: request.kind === 'raw' ? 'raw' : 'allowlisted' });
      const message = decodeRequestMessage(request.bytes);
      if (!message.ok) return refused('EINVAL');
      const { tag, opcode, payload } = message.value;
      const reply = { category: 'response', background: false, returnCode: 0, vendorStatus: 0 } as const;
      return answered({ payload, message: encodeMessage({ ...reply, tag, opcode, payload }) });
    },
    cancel: async () => {},
    decide: async (credential) =>
      authenticated(credential, { requestId: 'req-1', verdict: 'allow', class: 'audited', snapshot: 'abc' }),
    whoami: async (credential) =>
      authenticated(credential, {
        principal: 'user:local#alice',
        tenant: 'acme',
        issuer: 'local',
        subject: 'alice',
        names: ['user:local#alice', 'group:tenant/acme'],
        scopes: ['cci:read', 'cci:config'],
        expiresAtMs: 1_800_000_000_000,
        owns: ['/switches/sw0/ports/2', '/switches/sw0/vcss/0'],
        roles: ['role:operator'],
        limits: { weight: 1, concurrent: { limit: 256, used: 0 } },
      }),
    switches: async (credential) =>
      authenticated(credential, [
        { name: 'sw0', backend: 'emulator', state: 'serving', resources: ['/switches/sw0/ports/2'] },
      ]),
    commands: async (credential, name) =>
      name === 'sw0'
        ? authenticated(credential, [
            {
              opcode: 0x5100,
              slug: 'identify-switch-device',
              name: 'Identify Switch Device',
              class: 'allowlisted',
              scope: 0,
              allowed: true,
            },
            { opcode: 0x5201, slug: 'bind-vppb', name: 'Bind vPPB', class: 'audited', scope: 0, allowed: false },
          ])
        : refused('ENOENT'),
    consoles: async (credential) => authenticated(credential, { programs: [], requests: [], sessions: [] }),
    consoleRequest: async () => refused('ENOENT'),
    consoleRequested: async () => refused('ENOENT'),
    consoleApprove: async () => refused('ENOENT'),
    consoleDeny: async () => refused('ENOENT'),
    consoleOpen: async () => refused('ENOENT'),
    consoleWatch: async () => refused('ENOENT'),
    consoleRead: async () => refused('ENOENT'),
    consoleWrite: async () => refused('ENOENT'),
    consoleResize: async () => refused('ENOENT'),
    consoleLeave: async () => refused('ENOENT'),
    consoleClose: async () => refused('ENOENT'),
    consoleKill: async () => refused('ENOENT'),
    operations: async (credential) => authenticated(credential, []),
    operation: async () => refused('ENOENT'),
    events: async (credential) => authenticated(credential, { events: [], next: '00000000-0', more: false }),
    posture: async (credential) =>
      authenticated(credential, [
        {
          switch: 'sw0',
          profile: 'host',
          lockdown: { effective: 'none', kernel: 'not-consulted', config: 'none', runTime: 'none' },
          rawCommands: 'off',
          rawAllowAll: false,
          underLockdown: 'allow',
          taint: { mask: 0, letters: '-' },
        },
      ]),
    raiseLockdown: async (credential) => (credential.token === GOOD_TOKEN ? refused('EPERM') : refused('EAUTH')),
    taint: async (credential) => authenticated(credential, [{ switch: 'sw0', mask: 0, letters: '-', entries: [] }]),
    acknowledgeTaint: async (credential) => (credential.token === GOOD_TOKEN ? refused('EPERM') : refused('EAUTH')),
    topology: async (credential, name) =>
      name === 'sw0'
        ? authenticated(credential, {
            switch: 'sw0',
            known: true,
            accepted: false,
            ports: [{ id: 2, role: 'dsp', device: 'sld', lds: 0 }],
            vcss: [{ id: 0, usp: 0, vppbs: [{ kind: 'port', port: 2 }, { kind: 'unbound' }] }],
            differences: [{ what: 'port 2', before: 'dsp, none', after: 'dsp, sld', atMs: 1_700_000_000_000 }],
          })
        : refused('ENOENT'),
    acceptTopology: async (credential) => (credential.token === GOOD_TOKEN ? refused('EPERM') : refused('EAUTH')),
    begin: async (credential) => authenticated(credential, credential),
    end: async () => {},
    revocations: async (credential) => authenticated(credential, []),
    revoke: async (credential) => (credential.token === GOOD_TOKEN ? refused('EPERM') : refused('EAUTH')),
    reloadPolicy: async (credential) => authenticated(credential, { snapshot: 'abc', rules: 12 }),
    readiness: async () => ({ ready: true, checks: [{ name: 'journal', ok: true, detail: 'writable' }] }),
    metrics: async () => '# TYPE cci_fake counter\ncci_fake 1\n',
    ...replace,
  };
  return { calls, ...recorded(base, calls) };
}

function recorded(core: CoreApi, calls: Call[]): CoreApi {
  const keep = (call: Call) => void calls.push(call);
  return {
    // Nothing is kept of consoles: their tests replace what they ask.
    consoles: core.consoles,
    consoleRequest: core.consoleRequest,
    consoleRequested: core.consoleRequested,
    consoleApprove: core.consoleApprove,
    consoleDeny: core.consoleDeny,
    consoleOpen: core.consoleOpen,
    consoleWatch: core.consoleWatch,
    consoleRead: core.consoleRead,
    consoleWrite: core.consoleWrite,
    consoleResize: core.consoleResize,
    consoleLeave: core.consoleLeave,
    consoleClose: core.consoleClose,
    consoleKill: core.consoleKill,
    submit: (credential, name, request, options) => {
      keep({ method: 'submit', credential, switch: name, request, arguments: [options] });
      return core.submit(credential, name, request, options);
    },
    cancel: (handle) => {
      keep({ method: 'cancel', arguments: [handle] });
      return core.cancel(handle);
    },
    decide: (credential, name, request) => {
      keep({ method: 'decide', credential, switch: name, request });
      return core.decide(credential, name, request);
    },
    whoami: (credential) => {
      keep({ method: 'whoami', credential });
      return core.whoami(credential);
    },
    switches: (credential) => {
      keep({ method: 'switches', credential });
      return core.switches(credential);
    },
    commands: (credential, name) => {
      keep({ method: 'commands', credential, switch: name });
      return core.commands(credential, name);
    },
    operations: (credential, name) => {
      keep({ method: 'operations', credential, switch: name });
      return core.operations(credential, name);
    },
    operation: (credential, name, id) => {
      keep({ method: 'operation', credential, switch: name, arguments: [id] });
      return core.operation(credential, name, id);
    },
    events: (credential, name, query) => {
      keep({ method: 'events', credential, switch: name, arguments: [query] });
      return core.events(credential, name, query);
    },
    posture: (credential) => {
      keep({ method: 'posture', credential });
      return core.posture(credential);
    },
    raiseLockdown: (credential, level, reason) => {
      keep({ method: 'raiseLockdown', credential, arguments: [level, reason] });
      return core.raiseLockdown(credential, level, reason);
    },
    acknowledgeTaint: (credential, letter, scope, reason) => {
      keep({ method: 'acknowledgeTaint', credential, arguments: [letter, scope, reason] });
      return core.acknowledgeTaint(credential, letter, scope, reason);
    },
    topology: (credential, name) => {
      keep({ method: 'topology', credential, switch: name });
      return core.topology(credential, name);
    },
    acceptTopology: (credential, name, reason, picture) => {
      keep({ method: 'acceptTopology', credential, switch: name, arguments: [reason, picture] });
      return core.acceptTopology(credential, name, reason, picture);
    },
    taint: (credential) => {
      keep({ method: 'taint', credential });
      return core.taint(credential);
    },
    begin: (credential) => {
      keep({ method: 'begin', credential });
      return core.begin(credential);
    },
    end: (session) => {
      keep({ method: 'end', arguments: [session] });
      return core.end(session);
    },
    revocations: (credential) => {
      keep({ method: 'revocations', credential });
      return core.revocations(credential);
    },
    revoke: (credential, wish) => {
      keep({ method: 'revoke', credential, arguments: [wish] });
      return core.revoke(credential, wish);
    },
    reloadPolicy: (credential) => {
      keep({ method: 'reloadPolicy', credential });
      return core.reloadPolicy(credential);
    },
    readiness: () => core.readiness(),
    metrics: (credential) => core.metrics(credential),
  };
}

/** Name of a return code, for answers that tests make up. */
export const deviceError = (returnCode: number): CoreResult<CommandAnswer> =>
  answered({ returnCode, returnCodeName: returnCodeName(returnCode) });
