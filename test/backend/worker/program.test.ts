import { describe, expect, it } from 'vitest';
import { createWorkerBackend, type WorkerDevice } from '../../../src/backend/worker/index.ts';

/** No machine has these. */
const absent: readonly (readonly [WorkerDevice, string])[] = [
  [{ kind: 'chardev', path: '/dev/cxl/absent' }, 'there is no /dev/cxl/absent'],
  [{ kind: 'vfio', address: 'ffff:ff:1f.7' }, 'ffff:ff:1f.7'],
  [{ kind: 'sysfs', address: 'ffff:ff:1f.7' }, 'ffff:ff:1f.7'],
];

describe('the device worker as it is shipped', () => {
  it.each(absent)('%o: says through its process why the device can not be had', async (device, text) => {
    const backend = createWorkerBackend(device);
    await expect(backend.open()).rejects.toMatchObject({
      ...{ name: 'BackendError', outcome: 'not-sent', message: expect.stringContaining(text) },
    });
    expect(backend.workerPid).toBeUndefined();
  });
});
