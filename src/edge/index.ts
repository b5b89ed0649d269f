export * from './http/index.ts';
export * from './mctp/index.ts';
export * from './process/index.ts';
export * from './tls/index.ts';
