// Run by npm behind an installation: bundles `cci`, so that it starts in less time. Never fails: without a bundle everything
// runs from the sources. Plain JavaScript, because npm may run it on an old Node, or without the packages that it needs.
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

// That type stripping is experimental, on some versions of Node.
process.removeAllListeners('warning');
try {
  if (Number.parseInt(process.versions.node, 10) < 24) throw new Error(`Node ${process.versions.node} is too old`);
  const { makeBundle } = await import('./bundle.ts');
  await makeBundle(dirname(dirname(fileURLToPath(import.meta.url))));
} catch (error) {
  const [why] = String(error?.message ?? error).split('\n');
  process.stderr.write(`cci is not bundled, and starts from its sources: ${why}\n`);
}
