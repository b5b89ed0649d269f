/** What a resource path names. */
export type PathKind = 'switch' | 'port' | 'ld' | 'ldpool' | 'head' | 'host' | 'tag' | 'vcs' | 'vppb';

/** A path taken apart. `parent` is the path one object up; a switch has none. */
export interface ParsedPath {
  readonly kind: PathKind;
  readonly switch: string;
  readonly parent?: string;
}

const NAME = /^[a-z][a-z0-9-]{0,62}$/;
const ID = /^(?:0|[1-9][0-9]{0,4})$/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** What stands below a port or VCS with an id of its own. */
const below: readonly { readonly part: string; readonly word: string; readonly kind: PathKind; readonly id: RegExp }[] =
  [
    { part: 'ports', word: 'lds', kind: 'ld', id: ID },
    { part: 'ports', word: 'heads', kind: 'head', id: ID },
    { part: 'ports', word: 'hosts', kind: 'host', id: ID },
    { part: 'ports', word: 'tags', kind: 'tag', id: UUID },
    { part: 'vcss', word: 'vppbs', kind: 'vppb', id: ID },
  ];

/** Takes a canonical path apart; undefined for anything else, such as an id with a leading zero or a slash at the end. */
export function parsePath(text: string): ParsedPath | undefined {
  const [root, switches, name = '', part, id = '', subPart, subId = '', ...more] = text.split('/');
  if (root !== '' || switches !== 'switches' || !NAME.test(name) || more.length > 0) return undefined;
  if (part === undefined) return { kind: 'switch', switch: name };
  if ((part !== 'ports' && part !== 'vcss') || !ID.test(id)) return undefined;
  if (subPart === undefined)
    return { kind: part === 'ports' ? 'port' : 'vcs', switch: name, parent: `/switches/${name}` };
  const parent = `/switches/${name}/${part}/${id}`;
  if (part === 'ports' && text === `${parent}/ldpool`) return { kind: 'ldpool', switch: name, parent };
  const sub = below.find((row) => row.part === part && row.word === subPart);
  if (sub === undefined || !sub.id.test(subId)) return undefined;
  return { kind: sub.kind, switch: name, parent };
}

/** Lower-case letters, digits and `-`, at most 63, a letter first. */
export function isSwitchName(text: string): boolean {
  return NAME.test(text);
}
