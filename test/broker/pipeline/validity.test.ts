import { expect, it } from 'vitest';
import { validity } from '../../../src/broker/pipeline/validity.ts';
import { BY_ACME, Handmade } from '../../support/handmade-switch.ts';

function setup(isGoodAgain = true) {
  const asked: unknown[] = [];
  const revocations = { version: 1 };
  const authenticator = {
    again: async (credential: unknown) => {
      asked.push(credential);
      return { ok: isGoodAgain };
    },
  };
  const made = new Handmade({ services: { revocations, authenticator } as never });
  const stillValid = validity(made.services, BY_ACME, made.principal('acme'), 1);
  return { made, revocations, asked, stillValid };
}

it('a token that was good stays good until the moment at which it expires, and is not looked at before', async () => {
  const { made, asked, stillValid } = setup(false);
  made.nowMs = 1_999_999;
  expect(await stillValid()).toBe(true);
  made.nowMs = 2_000_000;
  expect(await stillValid()).toBe(false);
  made.nowMs = 2_000_001;
  expect(await stillValid()).toBe(false);
  expect(asked).toEqual([]);
});

it.each([true, false])('once something was revoked it is looked at again (%s)', async (isGood) => {
  const { revocations, asked, stillValid } = setup(isGood);
  revocations.version = 2;
  expect(await stillValid()).toBe(isGood);
  expect(asked).toEqual([BY_ACME]);
});
