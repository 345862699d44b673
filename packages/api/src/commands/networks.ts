import { adminOnly, defineCommand, everyone } from '../command.ts';
import { networkFields, networkServiceFields, serviceProviderFields } from '../entities/network.ts';
import {
  listedTrafficTypeFields,
  networkOfferingFields,
  physicalNetworkFields,
  trafficTypeFields,
  vlanIpRangeFields,
} from '../entities/network-parts.ts';
import { jobFields, successFields } from '../fields.ts';
import { ignored, matchesNothing, pagingParams, param, refused } from '../param.ts';

const noIpv6 = refused('there is no IPv6 in this release');
const noRouter = refused('there are no virtual routers');
const noProjects = refused('there are no projects');
const notHere = ignored('it is for other hypervisors');
const none = matchesNothing('there are none');
const noneFalse = matchesNothing('there are none', 'false');

const onPhysical = {
  response: physicalNetworkFields,
  result: { kind: 'object', key: 'physicalnetwork' },
  roles: adminOnly,
} as const;
const success = { response: successFields, result: { kind: 'success' } } as const;

export const createPhysicalNetwork = defineCommand({
  name: 'createPhysicalNetwork',
  description: 'Makes a physical network: what hosts of a zone are plugged into',
  isAsync: true,
  params: {
    name: param.string('the name of the physical network', { required: true }),
    zoneid: param.uuid('the zone', { required: true }),
    vlan: param.string('the VLANs that networks may be given, like 100-199'),
    networkspeed: param.string('its speed, for people to read'),
    tags: param.list('its tags'),
    isolationmethods: param.list('VLAN', ignored('it is VLAN')),
    broadcastdomainrange: param.string('ZONE', refused('it is the zone', 'zone')),
    domainid: param.uuid('the domain that owns it', refused('it is everybody’s')),
  },
  ...onPhysical,
});

export const listPhysicalNetworks = defineCommand({
  name: 'listPhysicalNetworks',
  description: 'Lists physical networks',
  isAsync: false,
  params: {
    id: param.uuid('the physical network of this ID'),
    name: param.string('the physical network of this name'),
    zoneid: param.uuid('physical networks of this zone'),
    ...pagingParams,
  },
  response: physicalNetworkFields,
  result: { kind: 'list', key: 'physicalnetwork' },
  roles: adminOnly,
});

export const updatePhysicalNetwork = defineCommand({
  name: 'updatePhysicalNetwork',
  description: 'Changes a physical network',
  isAsync: true,
  params: {
    id: param.uuid('the physical network', { required: true }),
    vlan: param.string('the VLANs that networks may be given, like 100-199'),
    networkspeed: param.string('its speed, for people to read'),
    tags: param.list('its tags'),
    state: param.string('Enabled, or Disabled: it gets no new networks'),
  },
  ...onPhysical,
});

export const deletePhysicalNetwork = defineCommand({
  name: 'deletePhysicalNetwork',
  description: 'Deletes a physical network that has no networks',
  isAsync: true,
  params: { id: param.uuid('the physical network', { required: true }) },
  ...success,
  roles: adminOnly,
});

export const addTrafficType = defineCommand({
  name: 'addTrafficType',
  description: 'Says what a physical network carries, and how hosts call it',
  isAsync: true,
  params: {
    physicalnetworkid: param.uuid('the physical network', { required: true }),
    traffictype: param.string('Guest, Management, Public or Storage; Guest alone has an effect', {
      required: true,
    }),
    kvmnetworklabel: param.string('the bridge, or for VLANs the network card, of KVM hosts'),
    vlan: param.string('the VLAN', ignored('networks have theirs')),
    isolationmethod: param.string('VLAN', ignored('it is VLAN')),
    hypervnetworklabel: param.string('of other hypervisors', notHere),
    ovm3networklabel: param.string('of other hypervisors', notHere),
    vmwarenetworklabel: param.string('of other hypervisors', notHere),
    xennetworklabel: param.string('of other hypervisors', notHere),
  },
  response: trafficTypeFields,
  result: { kind: 'object', key: 'traffictype' },
  roles: adminOnly,
});

export const listTrafficTypes = defineCommand({
  name: 'listTrafficTypes',
  description: 'Lists what a physical network carries',
  isAsync: false,
  params: { physicalnetworkid: param.uuid('the physical network', { required: true }), ...pagingParams },
  response: listedTrafficTypeFields,
  result: { kind: 'list', key: 'traffictype' },
  roles: adminOnly,
});

export const listNetworkServiceProviders = defineCommand({
  name: 'listNetworkServiceProviders',
  description: 'Lists who serves guests on physical networks: config drives do',
  isAsync: false,
  params: {
    name: param.string('the provider of this name'),
    physicalnetworkid: param.uuid('providers of this physical network'),
    state: param.string('providers in this state'),
    ...pagingParams,
  },
  response: { ...serviceProviderFields, ...jobFields },
  result: { kind: 'list', key: 'networkserviceprovider' },
  roles: adminOnly,
});

export const updateNetworkServiceProvider = defineCommand({
  name: 'updateNetworkServiceProvider',
  description: 'Enables a provider of services: the one that there is, config drives, always is',
  isAsync: true,
  params: {
    id: param.uuid('the provider', { required: true }),
    state: param.string('Enabled', refused('config drives cannot be switched off', 'enabled')),
    servicelist: param.list('services to enable', ignored('all are enabled')),
  },
  response: { ...serviceProviderFields, ...jobFields },
  result: { kind: 'object', key: 'networkserviceprovider' },
  roles: adminOnly,
});

export const listSupportedNetworkServices = defineCommand({
  name: 'listSupportedNetworkServices',
  description: 'Lists what networks can offer',
  isAsync: false,
  params: {
    provider: param.string('services of this provider'),
    service: param.string('the service of this name'),
    ...pagingParams,
  },
  response: { ...networkServiceFields, ...jobFields },
  result: { kind: 'list', key: 'networkservice' },
  roles: everyone,
});

const oneOffering = {
  isAsync: false,
  response: networkOfferingFields,
  result: { kind: 'object', key: 'networkoffering' },
  roles: adminOnly,
} as const;

export const createNetworkOffering = defineCommand({
  name: 'createNetworkOffering',
  description: 'Makes a network offering',
  params: {
    name: param.string('the name of the network offering', { required: true }),
    displaytext: param.string('the description of the network offering', { required: true, length: 4096 }),
    guestiptype: param.string('Shared or L2', { required: true }),
    traffictype: param.string('Guest', { required: true }),
    specifyvlan: param.boolean('whether an administrator names the VLAN'),
    specifyipranges: param.boolean('whether address ranges are given: Shared networks have them'),
    supportedservices: param.list('of Dhcp, Dns and UserData'),
    enable: param.boolean('enable it at once'),
    serviceproviderlist: param.groups('who provides services', ignored('config drives do')),
    servicecapabilitylist: param.groups('capabilities of services', ignored('there are none to choose')),
    availability: param.string('Optional or Required', ignored('no network is made by itself')),
    conservemode: param.boolean('share addresses', ignored('there are no public addresses')),
    details: param.map('details', ignored('nothing reads them')),
    domainid: param.list('domains it is for', refused('offerings belong to everybody')),
    zoneid: param.list('zones it is for', refused('offerings belong to everybody')),
    egressdefaultpolicy: param.boolean('allow outgoing traffic', ignored('nothing is filtered')),
    fortungsten: param.boolean('for Tungsten', refused('there is none', 'false')),
    forvpc: param.boolean('for VPCs', refused('there are none', 'false')),
    internetprotocol: param.string('IPv4', refused('there is no IPv6 in this release', 'ipv4')),
    ispersistent: param.boolean('live without instances', ignored('they do')),
    keepaliveenabled: param.boolean('of load balancers', ignored('there are none')),
    maxconnections: param.integer('of load balancers', ignored('there are none')),
    networkrate: param.integer('the rate, Mbit/s', refused('rates of networks are not limited')),
    serviceofferingid: param.uuid('of virtual routers', noRouter),
    tags: param.string('tags of physical networks', refused('name the physical network at createNetwork')),
  },
  ...oneOffering,
});

export const listNetworkOfferings = defineCommand({
  name: 'listNetworkOfferings',
  description: 'Lists network offerings',
  isAsync: false,
  params: {
    id: param.uuid('the network offering of this ID'),
    name: param.string('the network offering of this name'),
    displaytext: param.string('network offerings of this description'),
    guestiptype: param.string('Shared or L2'),
    isdefault: param.boolean('those that came with the cloud, or the others'),
    specifyvlan: param.boolean('those with a VLAN that is named, or the others'),
    specifyipranges: param.boolean('those with address ranges, or the others'),
    state: param.string('Enabled or Disabled'),
    traffictype: param.string('Guest', matchesNothing('there are others', 'guest')),
    availability: param.string('Optional', matchesNothing('all are optional', 'optional')),
    supportedservices: param.list('with all of these services'),
    zoneid: param.uuid('for this zone', ignored('offerings belong to everybody')),
    domainid: param.uuid('for this domain', ignored('offerings belong to everybody')),
    networkid: param.uuid('that this network could change to', none),
    forvpc: param.boolean('for VPCs', noneFalse),
    istagged: param.boolean('with tags', noneFalse),
    sourcenatsupported: param.boolean('with source NAT', noneFalse),
    tags: param.string('with these tags', none),
    ...pagingParams,
  },
  response: networkOfferingFields,
  result: { kind: 'list', key: 'networkoffering' },
  roles: everyone,
});

export const updateNetworkOffering = defineCommand({
  name: 'updateNetworkOffering',
  description: 'Changes a network offering, enables or disables it',
  params: {
    id: param.uuid('the network offering'),
    name: param.string('the name of the network offering'),
    displaytext: param.string('the description of the network offering', { length: 4096 }),
    state: param.string('Enabled or Disabled'),
    sortkey: param.integer('lists show smaller ones first'),
    availability: param.string('Optional or Required', ignored('no network is made by itself')),
    domainid: param.string('domains it is for', refused('offerings belong to everybody')),
    zoneid: param.string('zones it is for', refused('offerings belong to everybody')),
    keepaliveenabled: param.boolean('of load balancers', ignored('there are none')),
    maxconnections: param.integer('of load balancers', ignored('there are none')),
    tags: param.string('tags of physical networks', refused('name the physical network at createNetwork')),
  },
  ...oneOffering,
});

export const deleteNetworkOffering = defineCommand({
  name: 'deleteNetworkOffering',
  description: 'Deletes a network offering; networks of it stay',
  isAsync: false,
  params: { id: param.uuid('the network offering', { required: true }) },
  ...success,
  roles: adminOnly,
});

const rangeParams = {
  gateway: param.string('the gateway of the range'),
  netmask: param.string('the netmask of the range'),
  startip: param.string('the first address for guests'),
  endip: param.string('the last address for guests'),
};

export const createNetwork = defineCommand({
  name: 'createNetwork',
  description: 'Makes a network around the hosts: L2, or Shared with addresses',
  isAsync: false,
  params: {
    name: param.string('the name of the network', { required: true }),
    networkofferingid: param.uuid('the network offering', { required: true }),
    zoneid: param.uuid('the zone', { required: true }),
    displaytext: param.string('the description of the network; its name when absent'),
    physicalnetworkid: param.uuid('the physical network; the zone’s only one when absent'),
    vlan: param.string('the VLAN, or untagged, where the offering wants one', { adminOnly: true }),
    bypassvlanoverlapcheck: param.boolean(
      'several networks on one VLAN',
      refused('each has its own', 'false'),
    ),
    ...rangeParams,
    dns1: param.string('the DNS server of guests; the zone’s when absent'),
    dns2: param.string('the second DNS server of guests'),
    acltype: param.string('Account or Domain: who may use it'),
    account: param.string('the account that may use it; needs domainid'),
    domainid: param.uuid('the domain of that account, or the one that may use it'),
    subdomainaccess: param.boolean('whether domains below may use it, too; true when absent'),
    displaynetwork: param.boolean('show it to users', refused('all are shown', 'true')),
    networkdomain: param.string('the DNS suffix', ignored('guests get their names by config drive')),
    hideipaddressusage: param.boolean('hide addresses in use', ignored('nothing is charged')),
    aclid: param.uuid('a network ACL', refused('nothing is filtered')),
    associatednetworkid: param.uuid('a network beside it', noRouter),
    endipv6: param.string('the last IPv6 address', noIpv6),
    startipv6: param.string('the first IPv6 address', noIpv6),
    ip6cidr: param.string('the IPv6 CIDR', noIpv6),
    ip6dns1: param.string('an IPv6 DNS server', noIpv6),
    ip6dns2: param.string('an IPv6 DNS server', noIpv6),
    ip6gateway: param.string('the IPv6 gateway', noIpv6),
    externalid: param.string('the ID in an external system', ignored('nothing reads it')),
    isolatedpvlan: param.string('a private VLAN', refused('there are none')),
    isolatedpvlantype: param.string('the type of a private VLAN', refused('there are none')),
    privatemtu: param.integer('the MTU', refused('it is the one of the uplink')),
    publicmtu: param.integer('the MTU', noRouter),
    projectid: param.uuid('the project that owns it', noProjects),
    routerip: param.string('the address of a virtual router', noRouter),
    routeripv6: param.string('the address of a virtual router', noRouter),
    tungstenvirtualrouteruuid: param.string('a Tungsten router', noRouter),
    vpcid: param.uuid('the VPC', noRouter),
  },
  response: networkFields,
  result: { kind: 'object', key: 'network' },
  roles: everyone,
});

export const updateNetwork = defineCommand({
  name: 'updateNetwork',
  description: 'Changes the names and DNS servers of a network; guests see them after a stop and a start',
  isAsync: true,
  params: {
    id: param.uuid('the network', { required: true }),
    name: param.string('the name of the network'),
    displaytext: param.string('the description of the network'),
    dns1: param.string('the DNS server of guests'),
    dns2: param.string('the second DNS server of guests'),
    changecidr: param.boolean('change the CIDR', refused('make another network', 'false')),
    customid: param.string('the ID it shall have', refused('IDs are given by the server')),
    displaynetwork: param.boolean('show it to users', refused('all are shown', 'true')),
    forced: param.boolean('although it is in use', ignored('nothing is interrupted')),
    guestvmcidr: param.string('the CIDR of guests', refused('make another network')),
    hideipaddressusage: param.boolean('hide addresses in use', ignored('nothing is charged')),
    ip6dns1: param.string('an IPv6 DNS server', noIpv6),
    ip6dns2: param.string('an IPv6 DNS server', noIpv6),
    networkdomain: param.string('the DNS suffix', ignored('guests get their names by config drive')),
    networkofferingid: param.uuid('another offering', refused('make another network')),
    privatemtu: param.integer('the MTU', refused('it is the one of the uplink')),
    publicmtu: param.integer('the MTU', noRouter),
    updateinsequence: param.boolean('one router after the other', ignored('there are none')),
  },
  response: networkFields,
  result: { kind: 'object', key: 'network' },
  roles: everyone,
});

export const deleteNetwork = defineCommand({
  name: 'deleteNetwork',
  description: 'Deletes a network that no instance has a card in; hosts remove its bridge',
  isAsync: true,
  params: {
    id: param.uuid('the network', { required: true }),
    forced: param.boolean('although something fails', ignored('what hosts cannot do now is left')),
  },
  ...success,
  roles: everyone,
});

const range = { response: vlanIpRangeFields, roles: adminOnly } as const;

export const createVlanIpRange = defineCommand({
  name: 'createVlanIpRange',
  description: 'Gives a Shared network a further range of addresses',
  isAsync: false,
  params: {
    networkid: param.uuid('the network'),
    ...rangeParams,
    account: param.string('the account it is for', refused('ranges are for all of the network')),
    domainid: param.uuid('the domain it is for', refused('ranges are for all of the network')),
    endipv6: param.string('the last IPv6 address', noIpv6),
    startipv6: param.string('the first IPv6 address', noIpv6),
    ip6cidr: param.string('the IPv6 CIDR', noIpv6),
    ip6gateway: param.string('the IPv6 gateway', noIpv6),
    forsystemvms: param.boolean('for system instances', refused('there are none', 'false')),
    forvirtualnetwork: param.boolean('for public addresses', refused('there are none', 'false')),
    physicalnetworkid: param.uuid('the physical network', ignored('it is the network’s')),
    podid: param.uuid('the pod', refused('ranges are for the whole zone')),
    projectid: param.uuid('the project', noProjects),
    vlan: param.string('the VLAN', ignored('it is the network’s')),
    zoneid: param.uuid('the zone', ignored('it is the network’s')),
  },
  result: { kind: 'object', key: 'vlan' },
  ...range,
});

export const listVlanIpRanges = defineCommand({
  name: 'listVlanIpRanges',
  description: 'Lists ranges of addresses of Shared networks',
  isAsync: false,
  params: {
    id: param.uuid('the range of this ID'),
    networkid: param.uuid('ranges of this network'),
    physicalnetworkid: param.uuid('ranges of this physical network'),
    zoneid: param.uuid('ranges of this zone'),
    vlan: param.string('ranges of this VLAN'),
    account: param.string('ranges of this account', none),
    domainid: param.uuid('ranges of this domain', none),
    forvirtualnetwork: param.boolean('ranges of public addresses', noneFalse),
    podid: param.uuid('ranges of this pod', none),
    projectid: param.uuid('ranges of this project', none),
    ...pagingParams,
  },
  result: { kind: 'list', key: 'vlaniprange' },
  ...range,
});

export const deleteVlanIpRange = defineCommand({
  name: 'deleteVlanIpRange',
  description: 'Takes a range of addresses from a network, when no guest has one of them',
  isAsync: false,
  params: { id: param.uuid('the range', { required: true }) },
  ...success,
  roles: adminOnly,
});
