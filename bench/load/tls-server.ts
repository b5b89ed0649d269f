import { createHttpEdge } from '../../src/edge/index.ts';
import { authority } from '../../test/support/certificates.ts';
import { startTestBroker } from '../../test/support/running-broker.ts';

/** One broker behind two listeners, with and without TLS. Says where they are in one line of JSON. */
const broker = await startTestBroker(new URL('../../config/broker.yaml', import.meta.url).pathname);
const ca = authority();
const plain = createHttpEdge(broker.core);
const secure = createHttpEdge(broker.core, { tls: { material: ca.issue(), clientCertificates: 'none' } });
const [at, atSecure] = await Promise.all([plain.listen('127.0.0.1', 0), secure.listen('127.0.0.1', 0)]);
const token = await broker.token({ tenant: 'acme', subject: 'alice', groups: ['operators'] });
console.log(JSON.stringify({ plain: at.url, secure: atSecure.url, ca: ca.certificate, token }));
process.once('SIGTERM', async () => {
  await Promise.all([plain.close(), secure.close()]);
  await broker.close();
});
