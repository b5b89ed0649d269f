export * from './http/index.ts';
export * from './mctp/index.ts';
