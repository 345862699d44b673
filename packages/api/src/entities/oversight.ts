import { type FieldSpecs, field, jobFields } from '../fields.ts';

export const alertFields = {
  id: field.string('the ID of the alert'),
  type: field.integer('the number of the type'),
  name: field.string('the name of the type'),
  description: field.string('what happened'),
  sent: field.date('when it happened'),
  ...jobFields,
} as const satisfies FieldSpecs;

export const eventTypeFields = {
  name: field.string('the event type'),
  ...jobFields,
} as const satisfies FieldSpecs;

export const regionFields = {
  id: field.integer('the ID of the region'),
  name: field.string('the name of the region'),
  endpoint: field.string('where its API is'),
  gslbserviceenabled: field.boolean('whether there is global load balancing'),
  portableipserviceenabled: field.boolean('whether there are portable addresses'),
  ...jobFields,
} as const satisfies FieldSpecs;

export const hostTagFields = {
  id: field.string('the name of the tag'),
  hostid: field.long('always absent: hosts have UUIDs'),
  name: field.string('the name of the tag'),
  ...jobFields,
} as const satisfies FieldSpecs;

export const storageTagFields = {
  id: field.string('the name of the tag'),
  poolid: field.long('always absent: pools have UUIDs'),
  name: field.string('the name of the tag'),
  ...jobFields,
} as const satisfies FieldSpecs;
