import { PROGRAM_NAME } from '../../policy/index.ts';
import { type Static, Type } from '../../schema/index.ts';

const closed = { additionalProperties: false } as const;
const absolute = (description: string) =>
  Type.String({ pattern: '^/[^\\u0000]{0,1023}$', maxLength: 1024, description });
const milliseconds = (minimum: number, maximum: number, fallback: number, description: string) =>
  Type.Optional(Type.Integer({ minimum, maximum, default: fallback, description }));
const words = <const W extends string>(options: readonly W[], description: string, fallback: W) =>
  Type.Optional(Type.Enum(options as unknown as W[], { description, default: fallback }));

const ACCOUNT = '^[a-z_][a-z0-9_-]{0,31}$';

const Program = Type.Object(
  {
    path: absolute(
      'The program; neither it nor a directory above it may be writable by others than root and the broker',
    ),
    title: Type.Optional(Type.String({ minLength: 1, maxLength: 80, description: 'What it is, for people' })),
    arguments: Type.Optional(
      Type.Array(Type.String({ maxLength: 4096, pattern: '^[^\\u0000]*$' }), {
        maxItems: 64,
        description: 'All of them: nothing that a caller says becomes one',
      }),
    ),
    environment: Type.Optional(
      Type.Record(
        Type.String({ pattern: '^[A-Z_][A-Z0-9_]{0,63}$' }),
        Type.String({ maxLength: 4096, pattern: '^[^\\u0000]*$' }),
        {
          ...closed,
          description: "Beside PATH, TERM, LANG, HOME and USER; nothing of the broker's own environment",
        },
      ),
    ),
    user: Type.Optional(
      Type.String({
        pattern: ACCOUNT,
        description: 'Whom it runs as; needed where the broker runs as root, and never root',
      }),
    ),
    group: Type.Optional(Type.String({ pattern: ACCOUNT, description: "Its group; the user's own if not given" })),
    working_directory: Type.Optional(absolute('Where it starts, and its HOME')),
    switch: Type.String({ minLength: 1, description: 'The switch that it acts on' }),
    tenant: Type.Optional(
      Type.String({
        pattern: '^[a-z][a-z0-9-]{0,62}$',
        default: 'fabric',
        description: 'Only callers of this tenant open it',
      }),
    ),
    limits: Type.Optional(
      Type.Object(
        {
          time_ms: milliseconds(100, 86_400_000, 3_600_000, 'How long a session may last'),
          idle_ms: milliseconds(100, 86_400_000, 900_000, 'How long nothing may be typed and nothing written'),
          output_bytes: Type.Optional(
            Type.Integer({ minimum: 1024, maximum: 2 ** 40, default: 2 ** 28, description: 'Bytes that it may write' }),
          ),
          memory_bytes: Type.Optional(
            Type.Integer({
              minimum: 2 ** 24,
              maximum: 2 ** 44,
              default: 2 ** 30,
              description: 'Address space of each of its processes',
            }),
          ),
          processes: Type.Optional(
            Type.Integer({
              minimum: 1,
              maximum: 100_000,
              default: 64,
              description: 'Processes and threads of its user, all that he has: give it a user of its own',
            }),
          ),
          files: Type.Optional(
            Type.Integer({ minimum: 16, maximum: 1_000_000, default: 256, description: 'Open files of each process' }),
          ),
        },
        closed,
      ),
    ),
  },
  closed,
);

/** The section `console`. */
export const ConsoleSchema = Type.Object(
  {
    programs: Type.Record(Type.String({ pattern: `^${PROGRAM_NAME}$` }), Program, {
      ...closed,
      description: 'The only programs that can be opened; a grant names one as `console:NAME`',
    }),
    approval: words(['none', 'required'], 'required: a second person confirms each request', 'none'),
    approval_ms: milliseconds(
      1000,
      86_400_000,
      600_000,
      'How long a request waits for the second person, and to be opened',
    ),
    watcher: words(['none', 'required'], 'required: it runs only while a second person looks on', 'none'),
    watcher_ms: milliseconds(100, 3_600_000, 60_000, 'How long it stays paused without one before it ends'),
    while_open: words(
      ['wait', 'refuse'],
      'What becomes of commands to the switch meanwhile: they wait as long as they may, or are refused',
      'wait',
    ),
    resume_ms: milliseconds(100, 600_000, 60_000, 'How long a lost connection may be taken up again'),
    recording: Type.Optional(
      Type.Object(
        {
          directory: Type.Optional(
            Type.String({ minLength: 1, description: '`recordings` in the state directory if not given' }),
          ),
          public_key_file: Type.Optional(
            Type.String({ minLength: 1, description: 'PEM of the key that recordings are encrypted to' }),
          ),
        },
        closed,
      ),
    ),
  },
  { ...closed, description: 'Break-glass: vendor programs in a recorded terminal' },
);
export type ConsoleFile = Static<typeof ConsoleSchema>;
