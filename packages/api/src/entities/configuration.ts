import { type FieldSpecs, field, jobFields } from '../fields.ts';

/** Setting: names and types as CloudStack's `listApis` has them. */
export const configurationFields = {
  id: field.long('the ID of the setting'),
  name: field.string('the name of the setting'),
  displaytext: field.string('the description of the setting'),
  description: field.string('the description of the setting'),
  category: field.string('the category of the setting'),
  component: field.string('the component the setting belongs to'),
  defaultvalue: field.string('the value of the setting when none is stored'),
  group: field.string('the group of the setting'),
  isdynamic: field.boolean('whether a change takes effect at once'),
  options: field.string('values the setting may have'),
  parent: field.string('the setting this one belongs under'),
  scope: field.string('the scope'),
  subgroup: field.string('the subgroup of the setting'),
  type: field.string('the type of the setting'),
  value: field.string('the value'),
  ...jobFields,
} as const satisfies FieldSpecs;
