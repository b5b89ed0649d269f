import { type Static, Type } from '../../schema/index.ts';

/** Where the listening sockets are: in a process that has nothing else, or in the one with devices and keys. */
export const EdgeSchema = Type.Object(
  {
    process: Type.Optional(
      Type.Enum(['separate', 'same'], {
        default: 'same',
        description:
          'separate (default and only choice with production): listeners run in a confined process of their own; same: in that of the core',
      }),
    ),
    user: Type.Optional(
      Type.String({
        pattern: '^([a-z_][a-z0-9_-]{0,31}|[1-9][0-9]{0,8}:[1-9][0-9]{0,8})$',
        default: 'nobody',
        description: 'User that the process of the listeners becomes where the broker is started as root; or UID:GID',
      }),
    ),
  },
  { additionalProperties: false, description: 'The process that holds the listening sockets' },
);
export type EdgeFile = Static<typeof EdgeSchema>;

export interface EdgeSettings {
  readonly process: 'separate' | 'same';
  readonly user: string;
}

export function edgeSettings(file: EdgeFile | undefined, production: boolean): EdgeSettings {
  return { process: file?.process ?? (production ? 'separate' : 'same'), user: file?.user ?? 'nobody' };
}

/** What contradicts the rest of the file. */
export function edgeContradictions(
  file: EdgeFile | undefined,
  production: boolean,
): readonly { readonly place: readonly string[]; readonly message: string }[] {
  const problems: { place: string[]; message: string }[] = [];
  if (production && file?.process === 'same') {
    problems.push({
      place: ['process'],
      message: '`same` is not for production: whoever breaks into a listener must not be next to devices and keys',
    });
  }
  if (file?.user === 'root') problems.push({ place: ['user'], message: 'the listeners do not run as root' });
  return problems;
}
