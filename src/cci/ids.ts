/**
 * Identifiers of the protocol as types, so that a port can never be passed where an LD is meant.
 * Each is a plain non-negative integer at run time.
 */
declare const brand: unique symbol;
type Branded<Base, Name extends string> = Base & { readonly [brand]: Name };

/** 16-bit command opcode: command set in the high byte, command in the low one. */
export type Opcode = Branded<number, 'Opcode'>;
/** Physical port (PPB) id, 8 bits. */
export type PortId = Branded<number, 'PortId'>;
/** Logical device id. 8 bits in a tunnel layer and in set 54h, 16 bits in 5201h, 5301h and 5302h. */
export type LdId = Branded<number, 'LdId'>;
/** Virtual CXL switch id, 8 bits. */
export type VcsId = Branded<number, 'VcsId'>;
/** vPPB id inside one VCS, 8 bits. */
export type VppbId = Branded<number, 'VppbId'>;

/** The LD id that 5201h, 5301h and 5302h use for "not an LD" or "the FM-owned LD". */
export const NO_LD = 0xffff;

function branded<T extends number>(name: string, max: number) {
  return (value: number): T => {
    if (!Number.isInteger(value) || value < 0 || value > max) throw new RangeError(`${name} ${value} is not 0..${max}`);
    return value as T;
  };
}

/** Each turns a number into its branded form. @throws RangeError outside the width given above. */
export const opcode = branded<Opcode>('opcode', 0xffff);
export const portId = branded<PortId>('port id', 0xff);
export const ldId = branded<LdId>('ld id', 0xffff);
export const vcsId = branded<VcsId>('vcs id', 0xff);
export const vppbId = branded<VppbId>('vppb id', 0xff);

/** `0x5201`: the form of an opcode in logs, policies and messages. */
export function hex16(value: number): `0x${string}` {
  return `0x${value.toString(16).padStart(4, '0')}`;
}
