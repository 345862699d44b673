import { adminOnly, defineCommand, everyone } from '../command.ts';
import { userDataLength } from '../entities/user-data.ts';
import { virtualMachineFields } from '../entities/virtual-machine.ts';
import { field, jobFields, successFields } from '../fields.ts';
import {
  iconFilter,
  ignored,
  matchesNothing,
  ownerParams,
  pagingParams,
  param,
  projectFilter,
  refused,
  tagFilter,
} from '../param.ts';

const later = 'this release cannot do it yet';
const noGroups = refused('there are no security groups');
const oneKindOfPlanner = ignored('instances are placed in one way');
const noSetup = refused('guests cannot be booted into their firmware setup in this release', 'false');
const machineResult = { kind: 'object', key: 'virtualmachine' } as const;
const machineId = { id: param.uuid('the ID of the instance', { required: true }) };

export const listVirtualMachines = defineCommand({
  name: 'listVirtualMachines',
  description: 'Lists instances',
  isAsync: false,
  params: {
    id: param.uuid('the instance of this ID'),
    ids: param.uuids('the instances of these IDs'),
    name: param.string('instances whose name contains this'),
    state: param.string('instances in this state; Present means neither destroyed nor expunging'),
    zoneid: param.uuid('instances of this zone'),
    podid: param.uuid('instances of this pod', { adminOnly: true }),
    clusterid: param.uuid('instances of this cluster', { adminOnly: true }),
    hostid: param.uuid('instances on this host', { adminOnly: true }),
    storageid: param.uuid('instances with a volume on this pool', { adminOnly: true }),
    templateid: param.uuid('instances of this template'),
    networkid: param.uuid('instances in this network'),
    serviceofferingid: param.uuid('instances of this service offering'),
    userid: param.uuid('instances that this user made'),
    hypervisor: param.string('instances on this hypervisor'),
    details: param.list('what to tell: all, nics, min, …', ignored('answers are always complete')),
    displayvm: param.boolean(
      'whether shown to users',
      matchesNothing('every instance is shown to its users', 'true'),
    ),
    haenable: param.boolean('whether highly available'),
    accumulate: param.boolean('accumulate statistics', ignored('there are no statistics yet')),
    userdata: param.boolean('tell the user data'),
    sortby: param.string(
      'own extension: name, state or created, with - before it the other way round; -created when absent',
    ),
    affinitygroupid: param.uuid('instances of this affinity group', matchesNothing('there are none')),
    autoscalevmgroupid: param.uuid('instances of this autoscale group', matchesNothing('there are none')),
    backupofferingid: param.uuid('instances of this backup offering', matchesNothing('there are none')),
    forvirtualnetwork: param.boolean('instances in virtual networks', ignored('networks are of one kind')),
    groupid: param.uuid('instances of this group', matchesNothing('there are none')),
    isoid: param.uuid('instances with this ISO in their drive'),
    keypair: param.string('instances with the SSH key pair of this name'),
    securitygroupid: param.uuid('instances of this security group', matchesNothing('there are none')),
    vpcid: param.uuid('instances in this VPC', matchesNothing('there are none')),
    ...iconFilter,
    ...tagFilter,
    ...projectFilter,
    ...ownerParams,
    ...pagingParams,
  },
  response: virtualMachineFields,
  result: { kind: 'list', key: 'virtualmachine' },
  roles: everyone,
});

export const startVirtualMachine = defineCommand({
  name: 'startVirtualMachine',
  description: 'Starts an instance',
  isAsync: true,
  params: {
    ...machineId,
    hostid: param.uuid('the host to start it on', { adminOnly: true }),
    clusterid: param.uuid('the cluster to start it in', refused('name a host instead')),
    podid: param.uuid('the pod to start it in', refused('name a host instead')),
    considerlasthost: param.boolean('prefer the last host', ignored('the last host is always preferred')),
    deploymentplanner: param.string('the planner', oneKindOfPlanner),
    bootintosetup: param.boolean('boot into the firmware setup', noSetup),
  },
  response: virtualMachineFields,
  result: machineResult,
  roles: everyone,
});

export const stopVirtualMachine = defineCommand({
  name: 'stopVirtualMachine',
  description: 'Stops an instance',
  isAsync: true,
  params: { ...machineId, forced: param.boolean('cut its power instead of asking the guest') },
  response: virtualMachineFields,
  result: machineResult,
  roles: everyone,
});

export const rebootVirtualMachine = defineCommand({
  name: 'rebootVirtualMachine',
  description: 'Restarts an instance',
  isAsync: true,
  params: {
    ...machineId,
    forced: param.boolean('cut its power instead of asking the guest'),
    bootintosetup: param.boolean('boot into the firmware setup', noSetup),
  },
  response: virtualMachineFields,
  result: machineResult,
  roles: everyone,
});

export const destroyVirtualMachine = defineCommand({
  name: 'destroyVirtualMachine',
  description: 'Destroys an instance; it can be recovered until it is expunged',
  isAsync: true,
  params: {
    ...machineId,
    expunge: param.boolean('remove it for good at once'),
    volumeids: param.uuids(
      'data volumes to remove with it',
      refused('there are no data volumes in this release'),
    ),
  },
  response: virtualMachineFields,
  result: machineResult,
  roles: everyone,
});

export const expungeVirtualMachine = defineCommand({
  name: 'expungeVirtualMachine',
  description: 'Removes a destroyed instance for good',
  isAsync: true,
  params: machineId,
  response: successFields,
  result: { kind: 'success' },
  roles: everyone,
});

export const recoverVirtualMachine = defineCommand({
  name: 'recoverVirtualMachine',
  description: 'Brings back a destroyed instance, stopped',
  isAsync: false,
  params: machineId,
  response: virtualMachineFields,
  result: machineResult,
  roles: everyone,
});

export const restoreVirtualMachine = defineCommand({
  name: 'restoreVirtualMachine',
  description: 'Reinstalls an instance: a new root volume from its template or another',
  isAsync: true,
  params: {
    virtualmachineid: param.uuid('the ID of the instance', { required: true }),
    templateid: param.uuid('the template to install, or an ISO to install from; the present one when absent'),
    rootdisksize: param.long('the size of the new root volume, GB'),
    expunge: param.boolean('remove the old root volume at once', ignored('it is always removed at once')),
    diskofferingid: param.uuid('the disk offering', refused('there are no disk offerings in this release')),
    details: param.map('details', refused('reinstalling takes no details in this release')),
  },
  response: virtualMachineFields,
  result: machineResult,
  roles: everyone,
});

export const updateVirtualMachine = defineCommand({
  name: 'updateVirtualMachine',
  description:
    'Changes an instance; its guest sees a new name, user data and variables after a stop and a start',
  isAsync: false,
  params: {
    ...machineId,
    displayname: param.string('the name shown to users'),
    name: param.string('the host name of the guest, RFC 1123'),
    haenable: param.boolean('whether it shall be highly available'),
    userdata: param.string('user data, Base64', { length: userDataLength }),
    userdataid: param.uuid('stored user data'),
    userdatadetails: param.map('variables of the user data'),
    details: param.map('details, in the place of all that there are; kept without effect'),
    cleanupdetails: param.boolean('remove all details'),
    group: param.string('the group', ignored('there are no groups of instances')),
    displayvm: param.boolean('show it to users', refused('every instance is shown to its users', 'true')),
    isdynamicallyscalable: param.boolean('scale it while it runs', refused(later, 'false')),
    ostypeid: param.uuid('the OS type', refused('it is the one of the template')),
    instancename: param.string('the name on its host', refused('names on hosts are given by the server')),
    customid: param.string('the ID it shall have', refused('IDs are given by the server')),
    extraconfig: param.string('raw domain XML', {
      length: 5120,
      ...refused('domains are made by the server alone'),
    }),
    dhcpoptionsnetworklist: param.groups('DHCP options', refused(later)),
    securitygroupids: param.list('security groups', noGroups),
    securitygroupnames: param.list('security groups', noGroups),
  },
  response: virtualMachineFields,
  result: machineResult,
  roles: everyone,
});

const serviceChange = {
  ...machineId,
  serviceofferingid: param.uuid('the service offering', { required: true }),
  details: param.map('sizes of a custom offering', refused('an offering says its own size in this release')),
  automigrate: param.boolean('move the root disk where needed', ignored('root disks stay where they are')),
  shrinkok: param.boolean('the root disk may shrink', ignored('root disks keep their size')),
  miniops: param.long('the least IOPS', refused('rates of disks are not limited in this release')),
  maxiops: param.long('the most IOPS', refused('rates of disks are not limited in this release')),
};

export const changeServiceForVirtualMachine = defineCommand({
  name: 'changeServiceForVirtualMachine',
  description: 'Gives a stopped instance another service offering',
  isAsync: false,
  params: serviceChange,
  response: virtualMachineFields,
  result: machineResult,
  roles: everyone,
});

export const scaleVirtualMachine = defineCommand({
  name: 'scaleVirtualMachine',
  description: 'Gives a stopped instance another service offering; one that runs has to be stopped first',
  isAsync: true,
  params: serviceChange,
  response: successFields,
  result: { kind: 'success' },
  roles: everyone,
});

export const resetPasswordForVirtualMachine = defineCommand({
  name: 'resetPasswordForVirtualMachine',
  description: 'Gives a stopped instance a new password; its guest takes it when it starts',
  isAsync: true,
  params: machineId,
  response: virtualMachineFields,
  result: machineResult,
  roles: everyone,
});

export const resetSSHKeyForVirtualMachine = defineCommand({
  name: 'resetSSHKeyForVirtualMachine',
  description: 'Gives a stopped instance other SSH key pairs; its guest takes them when it starts',
  isAsync: true,
  params: {
    ...machineId,
    keypair: param.string('the name of an SSH key pair'),
    keypairs: param.list('the names of SSH key pairs'),
    account: param.string('the account that owns the instance; needs domainid'),
    domainid: param.uuid('the domain of that account'),
    projectid: param.uuidOrAll('the project that owns it', refused('there are no projects')),
  },
  response: virtualMachineFields,
  result: machineResult,
  roles: everyone,
});

export const getVMPassword = defineCommand({
  name: 'getVMPassword',
  description: 'Tells the password of an instance, encrypted with its SSH public key',
  isAsync: false,
  params: machineId,
  response: {
    encryptedpassword: field.string('the password, Base64 of RSA with PKCS#1 v1.5 padding'),
    ...jobFields,
  },
  result: { kind: 'object', key: 'password' },
  roles: everyone,
});

export const getVirtualMachineConsoleOutput = defineCommand({
  name: 'getVirtualMachineConsoleOutput',
  description: 'Own extension: reads what an instance wrote to its serial console',
  isAsync: false,
  params: {
    ...machineId,
    offset: param.long('the byte to read from; 0 when absent'),
    limit: param.integer('the most bytes to read, to 1048576; 65536 when absent'),
  },
  response: {
    output: field.string('the text; bytes that are no UTF-8 are replaced'),
    nextoffset: field.long('the offset to read on from'),
    ...jobFields,
  },
  result: { kind: 'object', key: 'consoleoutput' },
  roles: everyone,
});

export const createConsoleEndpoint = defineCommand({
  name: 'createConsoleEndpoint',
  description: 'Opens the way to the console of a running instance, once and for a minute',
  isAsync: false,
  params: {
    virtualmachineid: param.uuid('the ID of the instance', { required: true }),
    token: param.string(
      'a further secret',
      ignored('the one that is handed out works once, within a minute'),
    ),
    consoletype: param.string('own extension: screen (the default) or serial'),
  },
  response: {
    success: field.boolean('whether there is a way'),
    details: field.string('why there is none'),
    url: field.string('a page with the console, good for opening once'),
    websocket: field.object(
      'where clients with a viewer of their own connect: token, host, port, path',
      'consoleendpointwebsocketresponse',
    ),
    ...jobFields,
  },
  result: { kind: 'object', key: 'consoleendpoint' },
  roles: everyone,
});

export const migrateVirtualMachine = defineCommand({
  name: 'migrateVirtualMachine',
  description: 'Moves a running instance to another host that reaches its disks',
  isAsync: true,
  params: {
    virtualmachineid: param.uuid('the ID of the instance', { required: true }),
    hostid: param.uuid('the host to move it to; the best one when absent'),
    autoselect: param.boolean('choose the host', ignored('that happens when none is named')),
    storageid: param.uuid('the pool to move its disks to', refused('disks stay on their pool')),
  },
  response: virtualMachineFields,
  result: machineResult,
  roles: adminOnly,
});
