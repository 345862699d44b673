import { field, jobFields } from '../fields.ts';

export const publicIpAddressFields = {
  id: field.string('the ID of the address'),
  ipaddress: field.string('the address'),
  state: field.string('its state'),
  zoneid: field.string('the ID of its zone'),
  zonename: field.string('the name of its zone'),
  ...jobFields,
} as const;

export const forwardingRuleFields = {
  id: field.string('the ID of the rule'),
  protocol: field.string('its protocol'),
  ipaddress: field.string('its public address'),
  state: field.string('its state'),
  virtualmachineid: field.string('the ID of the instance it leads to'),
  ...jobFields,
} as const;
