export type { Backend, BackendErrorCode, BackendFailure, BackendIdentity, CciReply, CciRequest } from './backend.ts';
export { BackendError } from './backend.ts';
