import { defineCommand, everyone } from '../command.ts';
import { userDataLength } from '../entities/user-data.ts';
import { virtualMachineFields } from '../entities/virtual-machine.ts';
import { ignored, param, refused } from '../param.ts';

const later = 'this release cannot do it yet';
const noDataDisks = refused('one data disk comes with diskofferingid; attach others afterwards');
const noGroups = refused('there are no security groups');
const noAffinity = refused('there are no affinity groups');

export const deployVirtualMachine = defineCommand({
  name: 'deployVirtualMachine',
  description: 'Makes an instance from a template or an ISO and starts it',
  isAsync: true,
  params: {
    serviceofferingid: param.uuid('the service offering', { required: true }),
    templateid: param.uuid('the template, or a bootable ISO to install from', { required: true }),
    zoneid: param.uuid('the zone', { required: true }),
    name: param.string('the host name of the guest, RFC 1123'),
    displayname: param.string('the name shown to users'),
    networkids: param.uuids('the networks; the default network of the zone when absent'),
    rootdisksize: param.long(
      'the size of the root volume, GB; the size of the image when absent; needed with an ISO',
    ),
    startvm: param.boolean('whether to start it; true when absent'),
    hostid: param.uuid('the host to use', { adminOnly: true }),
    details: param.map('details; rootdisksize is known'),
    account: param.string('the account that will own the instance; needs domainid'),
    domainid: param.uuid('the domain of that account'),
    hypervisor: param.string('KVM'),
    copyimagetags: param.boolean('give the instance the tags of its template or ISO'),
    deploymentplanner: param.string('the planner', ignored('instances are placed in one way')),
    keyboard: param.string('the keyboard of the console', ignored('there is no graphical console yet')),
    displayvm: param.boolean('show it to users', refused('every instance is shown to its users', 'true')),
    dynamicscalingenabled: param.boolean('scale it while it runs', refused(later, 'false')),
    clusterid: param.uuid('the cluster to use', refused('name a host instead')),
    podid: param.uuid('the pod to use', refused('name a host instead')),
    projectid: param.uuidOrAll('the project that will own it', refused('there are no projects')),
    group: param.string('the group', refused('there are no groups of instances')),
    customid: param.string('the ID it shall have', refused('IDs are given by the server')),
    ipaddress: param.string('the address of the guest in the first network; a free one when absent'),
    ip6address: param.string('the IPv6 address of the guest', refused(later)),
    macaddress: param.string('the MAC address of the guest in the first network'),
    iptonetworklist: param.groups(
      'instead of networkids, ipaddress and macaddress: networks (networkid), each with an address (ip, mac) or without',
    ),
    dhcpoptionsnetworklist: param.groups('DHCP options', refused(later)),
    nicnetworklist: param.groups('cards of a VMware image', refused('it is for other hypervisors')),
    datadiskofferinglist: param.groups('disk offerings of data disks', noDataDisks),
    diskofferingid: param.uuid('the disk offering of a data disk that it gets'),
    size: param.long(
      'with diskofferingid, the size of the data disk, GB; with an ISO and without it, that of the root volume',
    ),
    overridediskofferingid: param.uuid(
      'the offering of the root volume',
      refused('there are no disk offerings in this release'),
    ),
    userdata: param.string('user data, Base64', { length: userDataLength }),
    userdataid: param.uuid('stored user data'),
    userdatadetails: param.map('variables of the user data'),
    keypair: param.string('the name of an SSH key pair'),
    keypairs: param.list('the names of SSH key pairs'),
    password: param.string('the password of the guest', refused('the server makes the passwords of guests')),
    securitygroupids: param.list('security groups', noGroups),
    securitygroupnames: param.list('security groups', noGroups),
    affinitygroupids: param.list('affinity groups', noAffinity),
    affinitygroupnames: param.list('affinity groups', noAffinity),
    boottype: param.string('BIOS or UEFI', refused(later, 'bios')),
    bootmode: param.string('LEGACY or SECURE', refused(later, 'legacy')),
    bootintosetup: param.boolean('boot into the firmware setup', refused(later, 'false')),
    extraconfig: param.string('raw domain XML', {
      length: 5120,
      ...refused('domains are made by the server alone'),
    }),
    iodriverpolicy: param.string('the I/O driver', refused(later)),
    iothreadsenabled: param.boolean('threads for I/O', refused(later, 'false')),
    properties: param.map('OVF properties', refused('it is for other hypervisors')),
  },
  response: virtualMachineFields,
  result: { kind: 'object', key: 'virtualmachine' },
  roles: everyone,
});
