export * from './api-description.ts';
export * from './client.ts';
export * from './errors.ts';
export * from './job.ts';
export * from './json.ts';
export * from './session.ts';
export { type ApiParams, encodeValue, signedQuery, signRequest } from './sign.ts';
export type { WaitOptions } from './wait.ts';
