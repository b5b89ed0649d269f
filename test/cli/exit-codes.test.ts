import { createServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { CommandAnswer, CoreResult, ProblemCode } from '../../src/broker/core-api.ts';
import { cli, type FakeBroker, fakeBroker } from '../support/command-line.ts';
import { answered, deviceError, refused } from '../support/fake-core.ts';

let broker: FakeBroker | undefined;
afterEach(() => broker?.close());

async function answering(answer: CoreResult<CommandAnswer>): Promise<FakeBroker> {
  broker = await fakeBroker({ submit: async () => answer });
  return broker;
}

/** policy.md section 9, and the codes that are the interface's own. */
const EXIT: { readonly [C in ProblemCode]: number } = {
  EPERM: 3,
  ENOTTY: 3,
  EBUSY: 1,
  EINVAL: 2,
  ENOMEM: 2,
  EAGAIN: 1,
  EIO: 5,
  ETIMEDOUT: 1,
  EAUTH: 3,
  EPARAM: 2,
  ENOENT: 3,
  EINTERNAL: 1,
};

describe('a refusal of the broker', () => {
  it.each(Object.entries(EXIT) as [ProblemCode, number][])('%s ends with status %i', async (code, exit) => {
    const ran = await (await answering(refused(code))).run('run identify');
    expect(ran.code).toBe(exit);
    expect(ran.out).toBe('');
    expect(ran.err).toMatch(new RegExp(`^cci: refused with ${code} \\(${code}, request req-1\\)\\n  next: .+\\n$`));
  });

  it('tells the reasons that were disclosed, with their rows', async () => {
    const reasons = [{ step: 'grant', rule: 'grant', errno: 'EPERM', text: 'no row allows it', source: 'acme.csv:4' }];
    const ran = await (await answering(refused('EPERM', { reasons }))).run('run identify');
    expect(ran.err).toContain('  grant: no row allows it [acme.csv:4]\n');
  });

  it('says how long the broker wants to be left alone', async () => {
    const ran = await (await answering(refused('EAGAIN', { retryAfterMs: 2500 }))).run('run identify');
    expect(ran.err).toContain('it asks for 3 s');
  });

  it('is one JSON object on stderr with --json, and stdout stays empty', async () => {
    const ran = await (await answering(refused('EPERM'))).run('run identify --json');
    expect(ran.out).toBe('');
    expect(JSON.parse(ran.err)).toMatchObject({ error: { code: 'EPERM', requestId: 'req-1', status: 403, exit: 3 } });
  });
});

describe('an answer of the device', () => {
  it('success ends with 0, and a command without a result says on stderr that it is done', async () => {
    const ran = await (await answering(answered())).run('run identify');
    expect(ran).toEqual({ code: 0, out: '', err: 'done (request req-1)\n' });
  });

  it('an error code ends with 4, also with --json, where the answer is still printed', async () => {
    const fake = await answering(deviceError(2));
    const plain = await fake.run('run identify');
    expect(plain.code).toBe(4);
    expect(plain.err).toContain('cci: the device answered invalid-input (EDEVICE, request req-1)');
    const json = await fake.run('run identify --json');
    expect(json.code).toBe(4);
    expect(JSON.parse(json.out)).toMatchObject({ returnCode: 2 });
  });

  it('a vendor return code without a name is a number', async () => {
    const ran = await (await answering(deviceError(0xabcd))).run('raw 0xc010');
    expect(ran.code).toBe(4);
    expect(ran.err).toContain('the device answered 0xabcd');
  });

  it('a tunnel that was refused half way says in which layer', async () => {
    const fake = await answering(answered({ returnCode: 3, returnCodeName: 'unsupported', layers: [0, 3] }));
    expect((await fake.run('run get-ld-info --via port:3')).err).toContain('unsupported in layer 1');
  });
});

describe('nobody there', () => {
  it('ends with 5 when nothing listens', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    await new Promise((resolve) => server.close(resolve));
    const ran = await cli(['whoami', '--token', 'x', '--url', `http://127.0.0.1:${port}`]);
    expect(ran.code).toBe(5);
    expect(ran.err).toContain(`nothing listens at http://127.0.0.1:${port}/ (EUNREACHABLE)`);
    expect(ran.err).toContain('next: start a broker');
  });

  it.each([
    ['a web page', 'HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n<ht>'],
    ['an error page', 'HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n'],
    ['other JSON', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}'],
    ['a problem with a code of its own', 'HTTP/1.1 403 Forbidden\r\ncontent-length: 15\r\n\r\n{"code":"EVIL"}'],
    ['nothing at all', ''],
    ['a redirect', 'HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n'],
  ])('ends with 5 when %s answers', async (_what, bytes) => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => socket.end(bytes));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    const ran = await cli(['whoami', '--token', 'x', '--url', `http://127.0.0.1:${port}`]);
    server.close();
    expect(ran.code).toBe(5);
    expect(ran.out).toBe('');
    expect(ran.err).toMatch(/^cci: .+ \((EPROTOCOL|EUNREACHABLE)\)\n {2}next: /);
  });
});

describe('a wrong command line ends with 2 before anything is sent', () => {
  it.each([
    ['nope', 'unknown command `nope`'],
    ['whoam', 'unknown command `whoam`'],
    ['show', 'missing required argument'],
    ['show nothing', 'nothing'],
    ['whoami extra', 'too many arguments'],
    ['whoami --nope', 'unknown option `--nope`'],
    ['run', 'missing required argument'],
    ['run no-such-command', 'there is no command `no-such-command`'],
    ['run bind-vpp', 'there is no command `bind-vpp`'],
    ['run identify-gfd', 'has no codec: it can only be sent raw'],
    ['run identify --vcs-id 1', 'unknown option `--vcs-id`'],
    ['run identify extra', 'too many arguments'],
    ['run identify --via port:300', 'is not a tunnel path'],
    ['raw', 'missing required argument'],
    ['raw 0', 'is not an opcode'],
    ['raw 0x10000', 'is not an opcode'],
    ['raw 0xc010 --payload 0', 'the payload is not hex'],
    ['raw 0xc010 --payload xx', 'the payload is not hex'],
    ['can raw', 'needs one opcode'],
    ['can identify --payload 00', '--payload is for `cci can raw`'],
    ['lockdown raise none', 'none'],
    ['token issue --tenant acme', '--subject'],
    ['token issue --tenant acme --subject a --ttl 5', 'is not a time span'],
    ['completion tcsh', 'tcsh'],
    ['emulate', '--topology'],
    ['emulate --topology x --listen nowhere', 'is not an address to listen on'],
    ['serve --port 70000', 'is not a port'],
    ['audit tail --lines 0', 'is not a number of lines'],
    ['whoami --url ftp://x', 'is not the URL of a broker'],
    ['whoami --url http://user:pw@127.0.0.1', 'has no user, password'],
    ['whoami --token a --token-file b', 'exclude each other'],
    ['whoami --token-file /does/not/exist', 'cannot be read (ENOENT)'],
  ])('cci %s', async (line, sentence) => {
    broker = await fakeBroker();
    const ran = await broker.run(line);
    expect(ran.err).toContain(sentence);
    expect(ran.err).toMatch(/^cci: .+\n {2}next: .+\n$/);
    expect(ran.code).toBe(2);
    expect(ran.out).toBe('');
    // A slug that the catalogue does not have may be a reviewed vendor command: only the broker knows those.
    expect(broker.core.calls.filter(({ method }) => method !== 'commands')).toEqual([]);
  });

  it('cci alone prints its help on stderr', async () => {
    const ran = await cli([]);
    expect(ran.code).toBe(2);
    expect(ran.out).toBe('');
    expect(ran.err).toContain('Usage: cci');
  });

  it('a mistyped slug is answered with the one that was meant', async () => {
    expect((await cli(['run', 'bindvppb'])).err).toContain('did you mean `cci run bind-vppb`?');
    expect((await cli(['can', 'get-phys-port-state'])).err).toContain(
      'did you mean `cci can get-physical-port-state`?',
    );
  });

  it('a token with a line break is refused without being repeated', async () => {
    const ran = await cli(['whoami'], { env: { CCI_TOKEN: 'SECRET\nSECRET' } });
    expect(ran.code).toBe(2);
    expect(ran.err).not.toContain('SECRET');
  });
});

describe('asking first', () => {
  it('cci can ends with 0 when allowed and with 3 when denied', async () => {
    broker = await fakeBroker();
    expect((await broker.run('can identify')).code).toBe(0);
    await broker.close();
    broker = await fakeBroker({
      decide: async () => ({ ok: true, value: { requestId: 'r', verdict: 'deny', snapshot: 's' } }),
    });
    const ran = await broker.run('can identify');
    expect(ran.code).toBe(3);
    expect(ran.out).toContain('denied');
  });
});
