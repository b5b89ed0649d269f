export { type FoundManager, findServiceManager, type ServiceManager } from './notify.ts';
