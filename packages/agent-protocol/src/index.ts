export * from './config-drive.ts';
export * from './join.ts';
export * from './messages.ts';
export * from './networks.ts';
export * from './peer.ts';
export { fileName, poolReference } from './pool-methods.ts';
