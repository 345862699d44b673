import { type FieldSpecs, field, jobFields } from '../fields.ts';

/** Event: names and types as CloudStack's `listApis` has them. */
export const eventFields = {
  id: field.string('the ID of the event'),
  description: field.string('the description of the event'),
  account: field.string('the account that owns the event'),
  archived: field.boolean('whether the event was archived'),
  created: field.date('when the event was created'),
  domain: field.string('the domain of the event'),
  domainid: field.string('the ID of the domain of the event'),
  domainpath: field.string('the path of the domain of the event'),
  level: field.string('the level of the event'),
  parentid: field.string('the ID of the event this one follows'),
  project: field.string('the project of the event'),
  projectid: field.string('the ID of the project of the event'),
  resourceid: field.string('the ID of the resource'),
  resourcename: field.string('the name of the resource'),
  resourcetype: field.string('the type of the resource'),
  state: field.word('state', 'the state of the event'),
  type: field.string('the type of the event'),
  username: field.string('the name of the user'),
  clientaddress: field.string('where the call came from; shown to root admins'),
  ...jobFields,
} as const satisfies FieldSpecs;
