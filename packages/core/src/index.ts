export * from './abort.ts';
export * from './digest.ts';
export * from './error.ts';
export * from './log.ts';
export * from './redact.ts';
export * from './spawn.ts';
