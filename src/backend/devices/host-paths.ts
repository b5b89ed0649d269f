/** Where the kernel shows itself; tests give a folder of their own. */
export interface HostPaths {
  readonly sys: string;
  readonly dev: string;
  readonly proc: string;
}

export const hostPaths: HostPaths = { sys: '/sys', dev: '/dev', proc: '/proc' };

/** The same three below another root. */
export function hostPathsBelow(root: string): HostPaths {
  return { sys: `${root}/sys`, dev: `${root}/dev`, proc: `${root}/proc` };
}
