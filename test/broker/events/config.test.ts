import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { parseConfig } from '../../../src/broker/config/index.ts';

const shipped = readFileSync(new URL('../../../config/broker.yaml', import.meta.url), 'utf8');
const parse = (more: string) => parseConfig(`${shipped}\n${more}`, '/etc/cci/broker.yaml');

it('events are drained every second, and a thousand are kept, unless the file says otherwise', () => {
  expect(parse('')).toMatchObject({ config: { events: { pollMs: 1000, keep: 1000, components: false } } });
  expect(parse('events: { poll_ms: 0, keep: 16, components: true }')).toMatchObject({
    config: { events: { pollMs: 0, keep: 16, components: true } },
  });
});

it.each(['events: { poll: 5 }', 'events: { poll_ms: -1 }', 'events: { keep: 15 }', 'events: { components: 1 }'])(
  '%s is a mistake that is pointed at',
  (text) => {
    const result = parse(text);
    expect(result.ok).toBe(false);
    if (!result.ok) expect(result.problems[0]?.line).toBe(shipped.split('\n').length + 1);
  },
);
