import { type FieldSpecs, field, jobFields } from '../fields.ts';

/** Image store: names and types as CloudStack's `listApis` has them. */
export const imageStoreFields = {
  id: field.string('the ID of the image store'),
  name: field.string('the name of the image store'),
  url: field.string('where it is'),
  protocol: field.string('how it is reached'),
  providername: field.string('the provider'),
  readonly: field.boolean('whether nothing is written to it'),
  scope: field.word('scopetype', 'the scope of the image store'),
  zoneid: field.string('the ID of its zone'),
  zonename: field.string('the name of its zone'),
  disksizetotal: field.long('bytes there are'),
  disksizeused: field.long('bytes in use'),
  hasannotations: field.boolean('whether there are annotations'),
  ...jobFields,
} as const satisfies FieldSpecs;

/** What an extraction offers: names and types as CloudStack's `listApis` has them. */
export const extractionFields = {
  id: field.string('the ID of the template or ISO'),
  name: field.string('the name of the template or ISO'),
  accountid: field.string('the ID of the account that owns it'),
  created: field.date('when it was offered'),
  extractId: field.string('the ID of the extraction'),
  extractMode: field.string('HTTP_DOWNLOAD'),
  resultstring: field.string('why it is not offered'),
  state: field.string('DOWNLOAD_URL_CREATED'),
  status: field.string('until when the URL can be used'),
  storagetype: field.string('secondary or primary: where the copy is'),
  uploadpercentage: field.integer('how far an upload is'),
  url: field.string('where it can be downloaded; whoever has it may do so'),
  zoneid: field.string('the ID of the zone of the copy'),
  zonename: field.string('the name of the zone of the copy'),
  ...jobFields,
} as const satisfies FieldSpecs;
