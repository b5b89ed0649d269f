import { parse } from 'yaml';

/** Stands for the owner of what the fabric file does not list: no tenant is called so. */
export const NOBODY = '(nobody)';
/** Owner of what the file lists and gives to no tenant. */
const OPERATORS = 'fabric';

/** Who owns what on one switch, read from the text of `fabric.yaml` and from nothing else. */
export interface Ownership {
  readonly tenants: readonly string[];
  /** Port id to the number of LDs that the file gives it. */
  readonly ports: ReadonlyMap<number, number>;
  /** VCS id to its number of vPPBs. */
  readonly vcss: ReadonlyMap<number, number>;
  /** Owned path to tenant, as written. */
  readonly owned: ReadonlyMap<string, string>;
  readonly switchName: string;
}

/** Reads the ownership of one switch out of the text of a fabric file. */
export function readOwnership(text: string, switchName = 'sw0'): Ownership {
  const file = record(parse(text));
  const part = record(record(file.switches)[switchName]);
  const owned = new Map<string, string>();
  const tenants: string[] = [];
  for (const [tenant, body] of Object.entries(record(file.tenants))) {
    tenants.push(tenant);
    for (const path of list(record(body).owns)) owned.set(String(path), tenant);
  }
  return { tenants, ports: counts(part.ports, 'lds'), vcss: counts(part.vcss, 'vppbs'), owned, switchName };
}

/** Owner of a physical port as such. A port whose LDs are owned one by one is the operators' own. */
export function portOwner(own: Ownership, port: number): string {
  if (!own.ports.has(port)) return NOBODY;
  return own.owned.get(`/switches/${own.switchName}/ports/${port}`) ?? OPERATORS;
}

/** Owner of one LD: of the whole port where that has one, else of the LD. */
export function ldOwner(own: Ownership, port: number, ld: number): string {
  const whole = own.owned.get(`/switches/${own.switchName}/ports/${port}`);
  if (whole !== undefined) return whole;
  if (ld >= (own.ports.get(port) ?? 0)) return NOBODY;
  return own.owned.get(`/switches/${own.switchName}/ports/${port}/lds/${ld}`) ?? OPERATORS;
}

export function vcsOwner(own: Ownership, vcs: number): string {
  if (!own.vcss.has(vcs)) return NOBODY;
  return own.owned.get(`/switches/${own.switchName}/vcss/${vcs}`) ?? OPERATORS;
}

/** Owner of a vPPB: that of its VCS, where the VCS has such a vPPB. */
export function vppbOwner(own: Ownership, vcs: number, vppb: number): string {
  return vppb < (own.vcss.get(vcs) ?? 0) ? vcsOwner(own, vcs) : NOBODY;
}

function counts(items: unknown, key: string): ReadonlyMap<number, number> {
  const found = new Map<number, number>();
  for (const item of list(items)) {
    const { ids, [key]: count } = record(item);
    const [first = 0, last = first] = String(ids).split('-').map(Number);
    for (let id = first; id <= last; id++) found.set(id, Number(count ?? 0));
  }
  return found;
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
