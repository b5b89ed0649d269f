import { chmod, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createEchoReader } from '../../../src/backend/console/echo.ts';
import { createSessionBackend, SessionError, type TerminalProgram } from '../../../src/backend/console/index.ts';
import { launchCommand, launchEnvironment } from '../../../src/backend/console/launch.ts';
import { loadPty } from '../../../src/backend/console/pty.ts';

const ROOT = process.getuid?.() === 0;
const program: TerminalProgram = {
  name: 'tool',
  path: '/bin/sh',
  arguments: ['-c', 'exit 3'],
  environment: { VENDOR: 'x' },
  ...(ROOT ? { user: 'nobody' } : {}),
  workingDirectory: '/',
  limits: { memoryBytes: 2 ** 30, processes: 5000, files: 64 },
};

describe('the terminal module', () => {
  const failing = (code: string) => () => {
    throw Object.assign(new Error('/home/somebody/secret/path'), { code });
  };

  it.each([
    ['is not installed', failing('MODULE_NOT_FOUND'), 'is not installed'],
    ['does not work here', failing('ERR_DLOPEN_FAILED'), 'no native part'],
    ['is another one', () => ({ spawn: () => undefined }), 'not of the version'],
    ['is nothing', () => undefined, 'not of the version'],
  ])('that %s is told, without a path', (_what, load, why) => {
    const loaded = loadPty(load);
    expect(loaded).toMatchObject({ ok: false, why: expect.stringContaining(why) });
    expect(JSON.stringify(loaded)).not.toContain('secret');
    expect(createSessionBackend({ loadPty: load }).unavailable).toContain(why);
  });

  it('that is missing opens nothing', async () => {
    const backend = createSessionBackend({ loadPty: failing('MODULE_NOT_FOUND') });
    const listener = { onOutput: () => undefined, onEnd: () => undefined };
    await expect(backend.open(program, 'x', { columns: 80, rows: 24 }, listener)).rejects.toThrow(SessionError);
  });
});

describe('the echo of a terminal', () => {
  const reader = (flags: number, result = 0) =>
    createEchoReader(() => (_fd, termios) => {
      new DataView(termios.buffer).setUint32(12, flags, true);
      return result;
    })(5);

  it.each([
    ['on', 0o12, 'on'],
    ['on without line editing', 0o10, 'on'],
    ['off, for a password', 0o2, 'off'],
    ['left to the program', 0, 'raw'],
  ])('is %s', (_what, flags, state) => expect(reader(flags)).toBe(state));

  it('is unknown where it cannot be asked for', () => {
    expect(reader(0o12, -1)).toBe('unknown');
    const throwing = createEchoReader(() => () => {
      throw new Error('no such call');
    });
    expect(throwing(5)).toBe('unknown');
    const missing = createEchoReader(() => {
      throw new Error('no library');
    });
    expect(missing(5)).toBe('unknown');
  });
});

describe('a program', () => {
  const { check } = createSessionBackend();
  let directory = '';
  const file = (name: string): string => join(directory, name);
  beforeAll(async () => {
    directory = await realpath(await mkdtemp(join(tmpdir(), 'cci-console-')));
    for (const name of ['good', 'loose', 'plain']) await writeFile(file(name), '#!/bin/sh\n', { mode: 0o755 });
    await chmod(file('loose'), 0o777);
    await chmod(file('plain'), 0o644);
    await mkdir(file('open'));
    await chmod(file('open'), 0o777);
    await writeFile(join(directory, 'open', 'inside'), '#!/bin/sh\n', { mode: 0o755 });
    await symlink(join('open', 'inside'), file('link'));
    await symlink('/bin/sh', file('shell'));
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  it.each([
    ['is as it has to be', () => ({ path: file('good') }), undefined],
    ['is a link to one', () => ({ path: file('shell') }), undefined],
    ['has no absolute path', () => ({ path: 'bin/sh' }), 'not an absolute path'],
    ['is not there', () => ({ path: file('nothing') }), 'is not there'],
    ['is a directory', () => ({ path: directory }), 'is not a file'],
    ['can be written by others', () => ({ path: file('loose') }), 'can be written by others'],
    ['lies where others can write', () => ({ path: join(directory, 'open', 'inside') }), 'can be written by others'],
    ['is a link to where others can write', () => ({ path: file('link') }), 'can be written by others'],
    ['starts where nothing is', () => ({ workingDirectory: file('nothing') }), 'is not a directory'],
    ['runs as nobody known', () => ({ user: 'no-such-user-here' }), 'there is no user'],
    ['runs as root', () => ({ user: 'root' }), 'does not run as root'],
  ])('that %s', async (_what, more, why) => {
    const problems = await check({ ...program, ...more() });
    if (why === undefined) expect(problems).toEqual([]);
    else expect(problems.join()).toContain(why);
  });

  it.runIf(ROOT)(
    'of a broker that runs as root needs a user, and a group that is there and not that of root',
    async () => {
      const { user: _user, ...nobodys } = program;
      expect((await check(nobodys)).join()).toContain('name the `user`');
      expect((await check({ ...program, group: 'no-such-group' })).join()).toContain('there is no group');
      expect((await check({ ...program, group: 'root' })).join()).toContain('in the group of root');
      expect((await check({ ...program, group: 'nogroup' })).join()).toBe('');
    },
  );

  it('gets its own environment and nothing else', () => {
    expect(Object.keys(launchEnvironment(program, 'mark')).sort()).toEqual(
      [
        'CCI_CONSOLE_SESSION',
        'HOME',
        'LANG',
        ...(ROOT ? ['LOGNAME'] : []),
        'PATH',
        'TERM',
        ...(ROOT ? ['USER'] : []),
        'VENDOR',
      ].sort(),
    );
    expect(launchEnvironment({ ...program, environment: { CCI_CONSOLE_SESSION: 'x' } }, 'mark')).toMatchObject({
      CCI_CONSOLE_SESSION: 'mark',
    });
  });

  it('is the last word of a command that bounds it, whatever its arguments look like', () => {
    const command = launchCommand(
      { ...program, arguments: ['--reuid=0', '$(id)', '; id'] },
      { uid: 7, gid: 8, changes: true },
      'ready',
    );
    expect(command.slice(-4)).toEqual(['/bin/sh', '--reuid=0', '$(id)', '; id']);
    expect(command).toEqual(expect.arrayContaining(['--reuid=7', '--regid=8', '--clear-groups', '--no-new-privs']));
    expect(command).toEqual(expect.arrayContaining(['--core=0:0', '--nproc=5000:5000', '--nofile=64:64']));
  });

  it('does not start where a limit cannot be set', async () => {
    const backend = createSessionBackend();
    const listener = { onOutput: () => undefined, onEnd: () => undefined };
    // More than any system has: nobody may raise it that far.
    const limits = { ...program.limits, files: 2 ** 31 };
    const opening = backend.open({ ...program, limits }, crypto.randomUUID(), { columns: 80, rows: 24 }, listener);
    await expect(opening).rejects.toThrow('could not be started within its limits');
  });
});
