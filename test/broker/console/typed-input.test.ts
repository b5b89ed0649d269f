import { describe, expect, it } from 'vitest';
import type { EchoState } from '../../../src/backend/console/index.ts';
import { TypedInput } from '../../../src/broker/console/typed-input.ts';

const HIDDEN = 'input that the terminal did not show was not recorded';

/** `type`: keys, and how the terminal stands before and after. `show`: what the program writes. */
type Step =
  | { readonly type: string; readonly before: EchoState; readonly after?: EchoState }
  | { readonly show: string }
  | { readonly wait: number };

function record(steps: readonly Step[], end = true): readonly string[] {
  const found: string[] = [];
  let now = 0;
  const input = new TypedInput(
    {
      input: (bytes) => found.push(`input ${JSON.stringify(Buffer.from(bytes).toString())}`),
      marker: (text) => found.push(text === HIDDEN ? 'hidden' : text),
    },
    () => now,
  );
  for (const step of steps) {
    if ('type' in step) input.typed(Buffer.from(step.type), step.before)(step.after ?? step.before);
    else if ('show' in step) input.shown(Buffer.from(step.show));
    else {
      now += step.wait;
      input.tick();
    }
  }
  if (end) input.end();
  return found;
}

const cases: readonly { readonly name: string; readonly steps: readonly Step[]; readonly found: readonly string[] }[] =
  [
    {
      name: 'keeps what the terminal echoes',
      steps: [{ type: 'ls\r', before: 'on' }],
      found: ['input "ls\\r"'],
    },
    {
      name: 'keeps no password that is typed while the echo is off',
      steps: [{ type: 'hunter2\r', before: 'off' }, { show: '\r\n' }],
      found: ['hidden'],
    },
    {
      name: 'keeps no password where the echo went off, or came back, while it was taken',
      steps: [
        { type: 'hunter2\r', before: 'on', after: 'off' },
        { type: 'ok\r', before: 'on' },
        { type: 'hunter2\r', before: 'off', after: 'on' },
      ],
      found: ['hidden', 'input "ok\\r"', 'hidden'],
    },
    {
      name: 'keeps nothing where nobody can tell whether there is an echo',
      steps: [{ type: 'hunter2\r', before: 'unknown' }, { show: 'hunter2' }],
      found: ['hidden'],
    },
    {
      name: 'keeps nothing where that cannot be told any more afterwards',
      steps: [{ type: 'a', before: 'on', after: 'unknown' }],
      found: ['hidden'],
    },
    {
      name: 'keeps what a line editor shows by itself',
      steps: [
        { type: 'l', before: 'raw' },
        { show: 'l' },
        { type: 's', before: 'raw' },
        { show: '\u001b[1ms\u001b[0m' },
      ],
      found: ['input "l"', 'input "s"'],
    },
    {
      name: 'keeps keys that were typed faster than they were shown, in their order',
      steps: [{ type: 'l', before: 'raw' }, { type: 's', before: 'raw' }, { show: 'ls' }],
      found: ['input "l"', 'input "s"'],
    },
    {
      name: 'keeps a line that a line editor shows and then runs',
      steps: [{ type: 'tty\r', before: 'raw', after: 'on' }, { show: 'tty\r\n/dev/pts/1' }],
      found: ['input "tty\\r"'],
    },
    {
      name: 'waits for an echo that comes in pieces',
      steps: [{ type: 'abc', before: 'raw' }, { show: 'a' }, { show: '\u001b[K' }, { show: 'bc' }],
      found: ['input "abc"'],
    },
    {
      name: 'keeps no password that a program asks for in raw mode, behind stars or behind nothing',
      steps: [
        { type: 'x', before: 'raw' },
        { show: '*' },
        { type: 'y', before: 'raw' },
        { show: '*' },
        { type: 'z', before: 'raw' },
      ],
      found: ['hidden'],
    },
    {
      name: 'keeps nothing whose echo does not come in time',
      steps: [{ type: 'x', before: 'raw' }, { wait: 1500 }, { show: 'x' }, { type: 'y', before: 'raw' }, { show: 'y' }],
      found: ['hidden', 'input "y"'],
    },
    {
      name: 'keeps keys that are no part of a secret',
      steps: [
        { type: '\r', before: 'raw' },
        { type: '\u0003', before: 'raw' },
      ],
      found: ['input "\\r"', 'input "\\u0003"'],
    },
    {
      name: 'keeps no keys that cannot be seen',
      steps: [{ type: '\u001b[A', before: 'raw' }, { show: 'make\u001b[K' }],
      found: ['hidden'],
    },
    {
      name: 'says once that something was hidden, so that nobody counts the keys of a password',
      steps: 'secret'.split('').map((key): Step => ({ type: key, before: 'off' })),
      found: ['hidden'],
    },
  ];

describe('what is recorded of the input', () => {
  it.each(cases)('$name', ({ steps, found }) => expect(record(steps)).toEqual(found));

  it('is not kept in memory for ever where nothing is ever shown', () => {
    const steps = Array.from({ length: 2000 }, (): Step => ({ type: 'k', before: 'raw' }));
    expect(record(steps, false)).toEqual([]);
    expect(record([...steps, { wait: 2000 }], false)).toEqual(['hidden']);
  });
});

it('keeps no more of what waits for its echo than a terminal takes at once', () => {
  const kept: number[] = [];
  const input = new TypedInput({ input: (bytes) => kept.push(bytes.length), marker: () => {} }, () => 0);
  const paste = Buffer.alloc(8000, 'a');
  for (let i = 0; i < 9; i++) input.typed(paste, 'raw')('raw');
  for (let i = 0; i < 9; i++) input.shown(paste);
  input.end();
  expect(kept).toEqual(Array.from({ length: 8 }, () => 8000));
});
