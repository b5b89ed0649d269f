import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { TagOwners } from '../../src/broker/tag-owners.ts';

async function directory(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'cci-tags-'));
  onTestFinished(() => rm(made, { recursive: true, force: true }));
  return made;
}

async function opened(at: string): Promise<TagOwners> {
  const tags = new TagOwners(at, 'sw0');
  expect(await tags.open()).toBeUndefined();
  return tags;
}

const place = { port: 3, serial: 'aa' };

it('who first added a tag has it, also after a restart, and before the claim is answered', async () => {
  const at = await directory();
  const tags = await opened(at);
  const claim = await tags.claim(place, ['t1', 't2'], 'acme');
  expect((await opened(at)).ownerOf(place, 't1')).toBe('acme');
  claim?.keep();
  expect(await tags.claim(place, ['t2', 't3'], 'globex')).toBeUndefined();
  expect(tags.ownerOf(place, 't3')).toBeUndefined();
});

it('a tag that was not added after all is nobody’s again', async () => {
  const at = await directory();
  const tags = await opened(at);
  const claim = await tags.claim(place, ['t1'], 'acme');
  await claim?.release();
  expect((await opened(at)).ownerOf(place, 't1')).toBeUndefined();
  expect(await tags.claim(place, ['t1'], 'globex')).toBeDefined();
});

it('a tag stays with its device: behind another port, and not with another device', async () => {
  const tags = await opened(await directory());
  await tags.claim(place, ['t1'], 'acme');
  expect(tags.ownerOf({ port: 4, serial: 'aa' }, 't1')).toBe('acme');
  expect(tags.ownerOf({ port: 3, serial: 'bb' }, 't1')).toBeUndefined();
  // Where nobody said who he is, the port has to do.
  expect(tags.ownerOf({ port: 3, serial: undefined }, 't1')).toBe('acme');
  expect(tags.ownerOf({ port: 4, serial: undefined }, 't1')).toBeUndefined();
});

it('what is there without a record is the operators’, also where somebody is about to add it', async () => {
  const at = await directory();
  const tags = await opened(at);
  const claim = await tags.claim(place, ['old'], 'acme');
  (await tags.claim(place, ['kept'], 'acme'))?.keep();
  await tags.reconcile(place, ['old', 'kept', 'stray'], { before: tags.recorded(), operators: 'fabric', claim });
  for (const reader of [tags, await opened(at)]) {
    expect(reader.ownerOf(place, 'old')).toBe('fabric');
    expect(reader.ownerOf(place, 'stray')).toBe('fabric');
    expect(reader.ownerOf(place, 'kept')).toBe('acme');
  }
});

it('a tag that is gone is forgotten, one that is on its way is not', async () => {
  const tags = await opened(await directory());
  (await tags.claim(place, ['gone'], 'acme'))?.keep();
  await tags.claim(place, ['coming'], 'globex');
  await tags.claim({ port: 9, serial: 'zz' }, ['elsewhere'], 'globex');
  await tags.reconcile(place, [], { before: tags.recorded(), operators: 'fabric' });
  expect(tags.ownerOf(place, 'gone')).toBeUndefined();
  expect(tags.ownerOf(place, 'coming')).toBe('globex');
  expect(tags.ownerOf({ port: 9, serial: 'zz' }, 'elsewhere')).toBe('globex');
  await tags.reconcile(place, [], { before: tags.recorded(), operators: 'fabric' });
});

it('a tag that comes while somebody else reads the list stays with who added it, whether or not it was read', async () => {
  const tags = await opened(await directory());
  const under = await tags.claim(place, ['read', 'not-read'], 'acme');
  const claim = await tags.claim(place, ['mine'], 'globex');
  const before = tags.recorded();
  // Carried out while the list was read; its end may be known by then, or not.
  const reconciled = () => tags.reconcile(place, ['read'], { before, operators: 'fabric', claim });
  await reconciled();
  under?.keep();
  await reconciled();
  expect(tags.ownerOf(place, 'read')).toBe('acme');
  expect(tags.ownerOf(place, 'not-read')).toBe('acme');
  expect(tags.ownerOf(place, 'mine')).toBe('globex');
});

it('the tags of a device are not forgotten for what is behind its port while nobody says who that is', async () => {
  const tags = await opened(await directory());
  (await tags.claim(place, ['t1'], 'acme'))?.keep();
  await tags.reconcile({ port: 3, serial: undefined }, [], { before: tags.recorded(), operators: 'fabric' });
  expect(tags.ownerOf(place, 't1')).toBe('acme');
});

it('nobody fills the records', async () => {
  const tags = await opened(await directory());
  const many = Array.from({ length: 4096 }, (_, i) => `t${i}`);
  expect(await tags.claim(place, many, 'acme')).toBeDefined();
  expect(await tags.claim(place, ['more'], 'acme')).toBeUndefined();
  expect(await tags.claim(place, ['more'], 'globex')).toBeDefined();
});

it.each([
  ['cut off', (text: string) => text.slice(0, 60)],
  ['changed', (text: string) => text.replace('acme', 'evil')],
  ['of another form', () => '{"format":"cci tag owners","version":1,"sha256":"","state":{}}'],
])('records that are %s are kept aside and believed no more', async (_name, spoil) => {
  const at = await directory();
  await (await opened(at)).claim(place, ['t1'], 'acme');
  const file = join(at, 'tags-sw0.json');
  await writeFile(file, spoil(await readFile(file, 'utf8')));
  const tags = new TagOwners(at, 'sw0');
  expect(await tags.open()).toMatch(/damaged/);
  expect(tags.ownerOf(place, 't1')).toBeUndefined();
  expect((await readdir(at)).filter((name) => name.includes('.damaged-'))).toHaveLength(1);
});

it('a claim that cannot be written down is none', async () => {
  const at = await directory();
  const tags = await opened(at);
  await rm(at, { recursive: true });
  await expect(tags.claim(place, ['t1'], 'acme')).rejects.toThrow();
  expect(tags.ownerOf(place, 't1')).toBeUndefined();
});
