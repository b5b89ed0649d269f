/**
 * What tools for policy files need and the broker does not: reviewing, suites, explaining, deciding without a broker. Beside
 * the folder's face and not in it, so that a broker does not load it when it starts.
 */
export * from './offline/index.ts';
export * from './review/index.ts';
export * from './suite/index.ts';
export * from './trace/index.ts';
