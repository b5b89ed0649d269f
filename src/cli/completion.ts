import { EXIT, type ExitCode } from './exit-codes.ts';
import type { Io } from './io.ts';
import { UsageError } from './usage-error.ts';

/** Each shell asks `cci complete -- WORDS...` for the candidates of the last word: they cannot grow stale. */
const SCRIPTS = {
  bash: `# bash completion for cci: source <(cci completion bash)
_cci() {
  local IFS=$'\\n'
  COMPREPLY=($(cci complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _cci cci
`,
  zsh: `#compdef cci
# zsh completion for cci: source <(cci completion zsh)
_cci() {
  local -a found
  found=(\${(f)"$(cci complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)"})
  if (( \${#found} )); then compadd -- "\${found[@]}"; else _files; fi
}
if [ "$funcstack[1]" = "_cci" ]; then _cci "$@"; else compdef _cci cci; fi
`,
  fish: `# fish completion for cci: cci completion fish | source
complete -c cci -e
complete -c cci -a '(cci complete -- (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'
`,
} as const;

export const shells = Object.keys(SCRIPTS);

/** `cci completion SHELL`: the script to source. */
export async function completion(io: Io, shell: string): Promise<ExitCode> {
  if (shell !== 'bash' && shell !== 'zsh' && shell !== 'fish') {
    throw new UsageError(`there is no completion for \`${shell}\``, `give one of ${shells.join(', ')}`);
  }
  io.out(SCRIPTS[shell]);
  return EXIT.done;
}
