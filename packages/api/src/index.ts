export * from './command.ts';
export * from './errors.ts';
export * from './fields.ts';
export * from './param.ts';
