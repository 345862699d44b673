import { type FieldSpecs, field, jobFields } from '../fields.ts';
import { capacityFields } from './capacity.ts';
import { tagFields } from './tag.ts';

/** Zone: names and types as CloudStack's `listApis` has them. */
export const zoneFields = {
  id: field.string('the ID of the zone'),
  name: field.string('the name of the zone'),
  displaytext: field.string('the description of the zone'),
  description: field.string('the description of the zone'),
  allocationstate: field.string('whether new instances may be placed here: Enabled or Disabled'),
  allowuserspecifyvrmtu: field.boolean('whether users may set the MTU of virtual routers'),
  capacity: field.rows('the capacity of the zone', capacityFields),
  dhcpprovider: field.string('who answers DHCP'),
  dns1: field.string('the first DNS server'),
  dns2: field.string('the second DNS server'),
  domain: field.string('the domain of the zone'),
  domainid: field.string('the ID of the domain of the zone'),
  domainname: field.string('the name of the domain'),
  guestcidraddress: field.string('the CIDR of guests'),
  location: field.string('own extension: where it is, for choosing near sources'),
  hasannotations: field.boolean('whether there are annotations'),
  icon: field.object('the icon', 'resourceiconresponse'),
  internaldns1: field.string('the first internal DNS server'),
  internaldns2: field.string('the second internal DNS server'),
  ip6dns1: field.string('the first IPv6 DNS server'),
  ip6dns2: field.string('the second IPv6 DNS server'),
  localstorageenabled: field.boolean('whether local storage may be used'),
  networktype: field.string('Basic or Advanced'),
  resourcedetails: field.map('key and value details'),
  routerprivateinterfacemaxmtu: field.integer('the largest MTU of private router interfaces'),
  routerpublicinterfacemaxmtu: field.integer('the largest MTU of public router interfaces'),
  securitygroupsenabled: field.boolean('whether security groups are on'),
  tags: field.set('the tags of the zone', tagFields),
  type: field.string('the type of the zone'),
  zonetoken: field.string('the token of the zone'),
  ...jobFields,
} as const satisfies FieldSpecs;
