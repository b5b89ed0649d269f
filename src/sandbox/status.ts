import { readFileSync } from 'node:fs';

/** What the kernel says about a process. */
export interface ProcessStatus {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  readonly noNewPrivileges: boolean;
  /** 0: none, 1: strict, 2: filter. */
  readonly seccomp: number;
  /** Capabilities that it has or could take, as a bit set. */
  readonly capabilities: bigint;
}

/** Reads `/proc/PID/status`; undefined where there is no such process, or no such file system. */
export function processStatus(pid: number): ProcessStatus | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch {
    return undefined;
  }
  const line = (name: string): string => new RegExp(`^${name}:[ \\t]*(.*)$`, 'm').exec(text)?.[1] ?? '';
  const first = (name: string): number => Number(line(name).split(/\s+/)[0]);
  return {
    uid: first('Uid'),
    gid: first('Gid'),
    groups: line('Groups')
      .split(/\s+/)
      .filter((word) => word !== '')
      .map(Number),
    noNewPrivileges: first('NoNewPrivs') === 1,
    seccomp: first('Seccomp'),
    capabilities: BigInt(`0x${line('CapPrm') || '0'}`) | BigInt(`0x${line('CapEff') || '0'}`),
  };
}
