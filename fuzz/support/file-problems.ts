import type { FileProblem } from '../../src/yaml/index.ts';
import { demand } from '../engine/target.ts';

/** Every problem can be found in its file. @throws Violation */
export function checkProblems(problems: readonly FileProblem[], text: string): void {
  demand(problems.length > 0, 'refused without a reason');
  const count = text.split('\n').length;
  for (const { line, column, message } of problems) {
    demand(line >= 1 && line <= count + 1 && column >= 1, `line ${line} of ${count}, column ${column}`);
    demand(message !== '', 'a problem says nothing');
  }
}
