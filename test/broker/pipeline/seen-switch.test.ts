import { describe, expect, it } from 'vitest';
import { seenSwitch, seenSwitches, seesSwitch } from '../../../src/broker/pipeline/seen-switch.ts';
import { fakeFabric } from '../../support/fake-policy.ts';
import { Handmade } from '../../support/handmade-switch.ts';

const spec = { ports: { 0: { owner: 'acme' }, 1: { owner: 'globex' } }, vcss: {} };

describe('a switch', () => {
  const made = new Handmade({ spec });
  it.each([
    ['fabric', true],
    ['acme', true],
    ['globex', true],
    ['initech', false],
  ])('is seen by %s: %s', (tenant, isSeen) => {
    const principal = made.principal(tenant);
    expect(seenSwitch(made.services, principal, 'sw0')).toBe(isSeen ? made.runtime : undefined);
    expect(seenSwitches(made.services, principal)).toEqual(isSeen ? [made.runtime] : []);
  });

  it('that is not there is seen by nobody who owns something elsewhere', () => {
    expect(seenSwitch(made.services, made.principal('acme'), 'sw1')).toBeUndefined();
    expect(seenSwitch(made.services, made.principal('fabric'), 'sw1')).toBeUndefined();
  });

  it('is looked up by its name, not by that of another', () => {
    const fabric = fakeFabric(spec);
    expect(seesSwitch(fabric, 'acme', 'sw0')).toBe(true);
    expect(seesSwitch(fabric, 'acme', 'ports')).toBe(false);
    expect(seesSwitch(fabric, 'acme', 'switches')).toBe(false);
  });

  it('that the fabric file does not name is the operators’', () => {
    const fabric = fakeFabric(spec);
    expect(seesSwitch(fabric, 'fabric', 'sw9')).toBe(true);
    expect(seesSwitch(fabric, 'acme', 'sw9')).toBe(false);
  });

  it('is worked out once for a fabric file, and anew for another', () => {
    let looks = 0;
    const counted = (owner: string) => ({
      ...fakeFabric({ ports: { 0: { owner } }, vcss: {} }),
      get objects() {
        looks++;
        return fakeFabric({ ports: { 0: { owner } }, vcss: {} }).objects;
      },
    });
    const fabric = counted('acme');
    for (let i = 0; i < 3; i++) expect(seesSwitch(fabric, 'acme', 'sw0')).toBe(true);
    expect(looks).toBe(1);
    expect(seesSwitch(counted('globex'), 'acme', 'sw0')).toBe(false);
  });
});
