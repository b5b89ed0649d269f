import fc from 'fast-check';
import { expect, test } from 'vitest';
import { makeAttempt } from './commands.ts';
import { probeForeign } from './foreign.ts';
import { Dice } from './seeded.ts';
import { type Breach, newTally, type Options, openSession, type Tally } from './session.ts';
import { compareWorlds } from './two-worlds.ts';
import { makeWorld } from './world.ts';

/** Fabrics to try; `ISOLATION_CASES=2000 npx vitest run test/isolation` tries more. */
const FABRICS = Number(process.env.ISOLATION_CASES ?? 30);
const COMMANDS = 120;
const TIMEOUT_MS = 60_000 + FABRICS * 1000;

/** Both profiles, and raw commands as far as the configuration lets them. */
function optionsOf(seed: number): Options {
  if (seed % 2 === 0) return { profile: 'host' };
  return { profile: 'bmc', rawCommands: seed % 4 === 1 ? 'taints-this-switch' : 'off', rawAllowAll: seed % 8 === 1 };
}

/** Names that would be somebody if claims were taken as they are. */
const HOSTILE = [
  'operator',
  'role:operator',
  'role:everything',
  'group:tenant/globex',
  'user:x#fabric',
  'fabric',
  '*',
  'p, a, b',
];

async function runFabric(seed: number, draws: readonly number[], tally: Tally): Promise<readonly Breach[]> {
  const world = makeWorld(seed);
  await using session = await openSession(world, seed, optionsOf(seed));
  for (const draw of draws) {
    const dice = new Dice(draw);
    const tenant = dice.pick(world.tenants);
    const attempt = makeAttempt(dice, world, tenant);
    const wish = { subject: dice.pick(HOSTILE), groups: [dice.pick(HOSTILE), 'group:tenant/fabric'] };
    const caller = dice.chance(0.05) ? await session.broker.credential(tenant, wish) : undefined;
    await session.run(tenant, attempt, caller);
  }
  for (const key of ['commands', 'answered', 'reached', 'changed', 'refused'] as const)
    tally[key] += session.tally[key];
  for (const [opcode, times] of session.tally.opcodes)
    tally.opcodes.set(opcode, (tally.opcodes.get(opcode) ?? 0) + times);
  return session.breaches;
}

test(
  'nothing of a tenant reaches what is not his, and no reply shows it, over random fabrics',
  async () => {
    const tally = newTally();
    const breaches: (Breach & { readonly seed: number })[] = [];
    for (let seed = 1; seed <= FABRICS; seed++) {
      const dice = new Dice(seed * 7919);
      const draws = Array.from({ length: COMMANDS }, () => dice.int(0, 0x7fff_ffff));
      breaches.push(...(await runFabric(seed, draws, tally)).map((breach) => ({ seed, ...breach })));
    }
    const { commands, answered, reached, changed, refused } = tally;
    console.log(
      `isolation: ${FABRICS} fabrics, ${commands} commands, ${answered} answered, ${reached} reached the device ` +
        `(${tally.opcodes.size} kinds), ${changed} changes, ${refused} refused`,
    );
    expect(breaches.slice(0, 10)).toEqual([]);
    // A broker that refuses everything would pass: enough must have come through.
    expect(reached / commands).toBeGreaterThan(0.1);
    expect(changed).toBeGreaterThan(FABRICS / 2);
    expect(tally.opcodes.size).toBeGreaterThan(20);
  },
  TIMEOUT_MS,
);

test(
  'the same, searched by fast-check, which shrinks a breach to the commands that matter',
  async () => {
    const tally = newTally();
    await fc.assert(
      fc.asyncProperty(
        fc.nat(1_000_000),
        fc.array(fc.nat(), { minLength: 20, maxLength: 60, size: 'max' }),
        async (seed, draws) => {
          expect(await runFabric(seed, draws, tally)).toEqual([]);
        },
      ),
      { numRuns: Math.ceil(FABRICS / 3), seed: 20_260_101 },
    );
    console.log(`isolation: fast-check tried ${tally.commands} commands, ${tally.reached} reached the device`);
    expect(tally.reached).toBeGreaterThan(FABRICS);
  },
  TIMEOUT_MS,
);

test(
  'an id of somebody else and one that does not exist are refused alike, and neither reaches the device',
  async () => {
    const tells: unknown[] = [];
    let tried = 0;
    for (let seed = 1; seed <= FABRICS; seed++) {
      const world = makeWorld(seed);
      await using session = await openSession(world, seed, optionsOf(seed));
      for (const tenant of world.tenants) {
        const found = await probeForeign(session, tenant, new Dice(seed), 40);
        tried += found.tried;
        tells.push(...found.tells.map((tell) => ({ seed, ...tell })));
      }
    }
    console.log(`isolation: ${tried} pairs of a foreign and an absent id`);
    expect(tells.slice(0, 10)).toEqual([]);
    expect(tried).toBeGreaterThan(FABRICS * 20);
  },
  TIMEOUT_MS,
);

test(
  'a tenant cannot tell two worlds apart that differ in what is not his',
  async () => {
    const differences: unknown[] = [];
    let compared = 0;
    let answered = 0;
    for (let seed = 1; seed <= FABRICS; seed++) {
      const world = makeWorld(seed);
      const tenant = new Dice(seed).pick(world.tenants);
      const found = await compareWorlds(world, tenant, seed, 40, optionsOf(seed * 2 + (seed % 2)));
      compared += found.compared;
      answered += found.answered;
      differences.push(...found.differences.map((difference) => ({ seed, tenant, ...difference })));
    }
    console.log(`isolation: ${compared} commands in two worlds each, ${answered} answered`);
    expect(differences.slice(0, 5)).toEqual([]);
    expect(answered / compared).toBeGreaterThan(0.1);
  },
  TIMEOUT_MS,
);
