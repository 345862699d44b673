import { adminOnly, defineCommand } from '../command.ts';
import { clusterFields } from '../entities/cluster.ts';
import { podFields } from '../entities/pod.ts';
import { zoneFields } from '../entities/zone.ts';
import { successFields } from '../fields.ts';
import { ignored, param, refused } from '../param.ts';

/** Zones, pods and clusters: where hosts and storage are. */

const allocationstate = param.string('Enabled, or Disabled: nothing new is placed there');
const location = param.string(
  'own extension: where it is, as metalinks name places: sources that are near come first',
);
const noIpv6 = refused('there is no IPv6 in this release');
const byBridge = refused('networks are bridges of Linux');
const notVmware = ignored('it is for other hypervisors');
const removal = {
  isAsync: false,
  response: successFields,
  result: { kind: 'success' },
  roles: adminOnly,
} as const;

const zoneParams = {
  dns2: param.string('the second DNS server of guests'),
  internaldns2: param.string('the second DNS server of hosts'),
  ip6dns1: param.string('an IPv6 DNS server', noIpv6),
  ip6dns2: param.string('an IPv6 DNS server', noIpv6),
  domain: param.string('the network domain', ignored('guests get their names by config drive')),
  guestcidraddress: param.string('the CIDR of isolated networks', ignored('there are none')),
  localstorageenabled: param.boolean('whether hosts’ own storage is used; true when absent'),
  allocationstate,
  location,
};

export const createZone = defineCommand({
  name: 'createZone',
  description: 'Makes a zone',
  isAsync: false,
  params: {
    name: param.string('the name of the zone', { required: true }),
    networktype: param.string('Advanced', { required: true }),
    dns1: param.string('the DNS server of guests', { required: true }),
    internaldns1: param.string('the DNS server of hosts', { required: true }),
    ...zoneParams,
    domainid: param.uuid('the domain it is for', refused('zones are for everybody')),
    isedge: param.boolean('an edge zone', ignored('no zone has system instances')),
    securitygroupenabled: param.boolean('security groups', refused('there are none', 'false')),
  },
  response: zoneFields,
  result: { kind: 'object', key: 'zone' },
  roles: adminOnly,
});

export const updateZone = defineCommand({
  name: 'updateZone',
  description: 'Changes a zone',
  isAsync: false,
  params: {
    id: param.uuid('the zone', { required: true }),
    name: param.string('the name of the zone'),
    dns1: param.string('the DNS server of guests'),
    internaldns1: param.string('the DNS server of hosts'),
    ...zoneParams,
    sortkey: param.integer('lists show smaller ones first'),
    details: param.map('details', ignored('nothing reads them')),
    dhcpprovider: param.string('who answers DHCP', ignored('hosts do')),
    dnssearchorder: param.list('search domains', ignored('guests get none')),
    ispublic: param.boolean('whether everybody may use it', refused('zones are for everybody', 'true')),
  },
  response: zoneFields,
  result: { kind: 'object', key: 'zone' },
  roles: adminOnly,
});

export const deleteZone = defineCommand({
  name: 'deleteZone',
  description: 'Deletes a zone in which nothing is left',
  ...removal,
  params: { id: param.uuid('the zone', { required: true }) },
});

const podParams = {
  gateway: param.string('the gateway of its hosts'),
  netmask: param.string('the netmask of its hosts'),
  startip: param.string('the first address kept for the cloud'),
  endip: param.string('the last address kept for the cloud'),
  allocationstate,
  location,
};

export const createPod = defineCommand({
  name: 'createPod',
  description: 'Makes a pod in a zone',
  isAsync: false,
  params: {
    name: param.string('the name of the pod', { required: true }),
    zoneid: param.uuid('the zone', { required: true }),
    ...podParams,
  },
  response: podFields,
  result: { kind: 'object', key: 'pod' },
  roles: adminOnly,
});

export const updatePod = defineCommand({
  name: 'updatePod',
  description: 'Changes a pod',
  isAsync: false,
  params: {
    id: param.uuid('the pod', { required: true }),
    name: param.string('the name of the pod'),
    ...podParams,
  },
  response: podFields,
  result: { kind: 'object', key: 'pod' },
  roles: adminOnly,
});

export const deletePod = defineCommand({
  name: 'deletePod',
  description: 'Deletes a pod in which nothing is left',
  ...removal,
  params: { id: param.uuid('the pod', { required: true }) },
});

export const addCluster = defineCommand({
  name: 'addCluster',
  description: 'Makes a cluster in a pod',
  isAsync: false,
  params: {
    clustername: param.string('the name of the cluster', { required: true }),
    clustertype: param.string('CloudManaged', { required: true }),
    hypervisor: param.string('KVM', { required: true }),
    podid: param.uuid('the pod', { required: true }),
    zoneid: param.uuid('the zone', { required: true }),
    allocationstate,
    location,
    url: param.string('where an external one is', notVmware),
    username: param.string('the user of an external one', notVmware),
    password: param.string('the password of an external one', notVmware),
    guestvswitchname: param.string('a virtual switch', byBridge),
    guestvswitchtype: param.string('a virtual switch', byBridge),
    publicvswitchname: param.string('a virtual switch', byBridge),
    publicvswitchtype: param.string('a virtual switch', byBridge),
    ovm3cluster: param.string('of OVM3', notVmware),
    ovm3pool: param.string('of OVM3', notVmware),
    ovm3vip: param.string('of OVM3', notVmware),
    vsmipaddress: param.string('of Nexus', notVmware),
    vsmpassword: param.string('of Nexus', notVmware),
    vsmusername: param.string('of Nexus', notVmware),
  },
  response: clusterFields,
  result: { kind: 'list', key: 'cluster' },
  roles: adminOnly,
});

export const updateCluster = defineCommand({
  name: 'updateCluster',
  description: 'Changes a cluster',
  isAsync: false,
  params: {
    id: param.uuid('the cluster', { required: true }),
    clustername: param.string('the name of the cluster'),
    allocationstate,
    location,
    clustertype: param.string('CloudManaged', refused('there is one type', 'cloudmanaged')),
    hypervisor: param.string('KVM', refused('there is one hypervisor', 'kvm')),
    managedstate: param.string('Managed', refused('every cluster is managed', 'managed')),
  },
  response: clusterFields,
  result: { kind: 'object', key: 'cluster' },
  roles: adminOnly,
});

export const deleteCluster = defineCommand({
  name: 'deleteCluster',
  description: 'Deletes a cluster in which nothing is left',
  ...removal,
  params: { id: param.uuid('the cluster', { required: true }) },
});
