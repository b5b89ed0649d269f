import { isDeepStrictEqual } from 'node:util';
import { PostureError } from '../../src/taint/index.ts';
import { Ledger } from '../../src/taint/ledger.ts';
import { ledgerText, parseLedger } from '../../src/taint/ledger-file.ts';
import { emptyState, isInForce, raised, visibleGroups } from '../../src/taint/ledger-state.ts';
import { bytesOf, demand, type Target, textOf } from '../engine/target.ts';
import { mendChecksum } from '../support/checksum.ts';
import { memoryFiles } from '../support/memory-files.ts';
import { json, words } from '../support/text-mutators.ts';

const PATH = '/state/taint.json';
const SWITCH = '/switches/sw0';
const raising = { atMs: 1, by: 'user:x#y', record: 'r', scope: `${SWITCH}/ports/3`, reason: 'why' } as const;

function seeds(): readonly Uint8Array[] {
  const empty = emptyState('boot-1', '0x1');
  const one = raised(empty, { ...raising, letter: 'R' }, SWITCH);
  const two = raised(raised(one, { ...raising, letter: 'F' }, SWITCH), { ...raising, letter: 'R' }, SWITCH);
  const level = { level: 'integrity', atMs: 2, by: 'x', reason: 'y' } as const;
  return [empty, one, two, { ...two, runTime: level.level, levelChanges: [level] }].map((state) =>
    bytesOf(ledgerText(state)),
  );
}

export const target: Target = {
  name: 'taint-ledger',
  oracle:
    'a ledger that is damaged raises A and the level; one that is read loses no bit of its boot, and is read back alike',
  covers: ['src/taint'],
  kind: 'text',
  maxLength: 3000,
  seeds,
  mutators: [json, json, words],
  mend: mendChecksum,
  open: () => ({
    async run(bytes) {
      const text = textOf(bytes);
      const files = new Map([[PATH, text]]);
      const parsed = parseLedger(text);
      const options = { path: PATH, switchPath: SWITCH, serial: '0x1', journalNotEmpty: true, now: () => 5 };
      const ledger = await Ledger.open({ ...options, bootId: 'boot-1', fileSystem: memoryFiles(files) }).catch(
        (error: unknown) => {
          demand(error instanceof PostureError, () => String(error));
          return undefined;
        },
      );
      demand(ledger !== undefined, 'no ledger although every file can be written');
      const { state } = ledger;
      demand(
        isDeepStrictEqual(parseLedger(files.get(PATH) ?? ''), { ok: true, state }),
        'what is in force is not in the file',
      );
      if (!parsed.ok) {
        demand(state.runTime === 'confidentiality', `damaged, and the level is ${state.runTime}`);
        demand(
          state.groups.some(({ letter }) => letter === 'A'),
          'damaged, and no A',
        );
        demand(files.get(`${PATH}.damaged-1`) === text, 'the damaged file is not kept');
        return;
      }
      if (parsed.state.bootId === 'boot-1') {
        demand(state.groups.length === parsed.state.groups.length, 'a bit of this boot is gone');
        demand(state.runTime === parsed.state.runTime, 'the level of this boot is another one');
      }
      const more = raised(state, { ...raising, letter: 'M' }, SWITCH);
      demand(isInForce(more, { ...raising, letter: 'M' }, SWITCH), 'a bit that was raised is not in force');
      demand(visibleGroups(more).length >= visibleGroups(state).length, 'a raising hides another one');
      // Nobody raises that often; a file of somebody's making may say so, and is taken for damaged one raising later.
      const isFull = [more.ordinal, ...more.groups.map(({ count }) => count)].some(
        (count) => !Number.isSafeInteger(count),
      );
      demand(isFull || parseLedger(ledgerText(more)).ok, 'what is written cannot be read');
    },
  }),
};
