import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Broker, startTestBroker } from '../support/running-broker.ts';

let broker: Broker;

beforeAll(async () => {
  broker = await startTestBroker(new URL('../../config/broker.yaml', import.meta.url).pathname);
});
afterAll(() => broker.close());

const scrape = async (who?: { readonly tenant: string; readonly subject: string }) =>
  broker.core.metrics({ token: who === undefined ? '' : await broker.token(who), source: 'test' });

test('a scraper without an operator’s token hears no name of a switch, a tenant or an issuer', async () => {
  const tenants = ['acme', 'globex'];
  for (const text of [
    await scrape(),
    await scrape({ tenant: 'acme', subject: 'alice' }),
    await broker.core.metrics(),
  ]) {
    expect(text).toContain('cci_journal_up 1');
    expect(text).not.toMatch(/sw0|switch=|tenant=|issuer=/);
    for (const tenant of tenants) expect(text).not.toContain(tenant);
  }
});

test('an operator’s has all of them', async () => {
  const text = await scrape({ tenant: 'fabric', subject: 'olga' });
  expect(text).toContain('cci_journal_up 1');
  expect(text).toContain('cci_device_up{switch="sw0"} 1');
  expect(text).toContain('tenant="acme"');
});
