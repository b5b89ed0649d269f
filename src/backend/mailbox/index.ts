export { MailboxBackend, type MailboxBackendOptions } from './mailbox-backend.ts';
export { createQtestBackend, QtestOptions } from './qtest/index.ts';
export type { RegisterIo, RegisterIoIdentity } from './register-io.ts';
export type { BackgroundStatus } from './registers.ts';
export { createSysfsBackend, SysfsOptions } from './sysfs/index.ts';
export { createVfioBackend, VfioOptions } from './vfio/index.ts';
