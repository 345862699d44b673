import { type FieldSpecs, field, jobFields } from '../fields.ts';

/** User: names and types as CloudStack's `listApis` has them. */
export const userKeysFields = {
  apikey: field.string('the API key of the user'),
  secretkey: field.string('the secret key of the user'),
  ...jobFields,
} as const satisfies FieldSpecs;
