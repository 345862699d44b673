import { defineCommand, everyone } from '../command.ts';
import { forwardingRuleFields, publicIpAddressFields } from '../entities/forwarding.ts';
import { matchesNothing, noTagFilter, ownerParams, pagingParams, param, projectFilter } from '../param.ts';

/** What Apache Libcloud asks for whenever it lists instances; networks here have no virtual routers, so there is none. */

const none = matchesNothing('there are none');

export const listPublicIpAddresses = defineCommand({
  name: 'listPublicIpAddresses',
  description: 'Lists public IP addresses: there are none',
  isAsync: false,
  params: {
    id: param.uuid('the address of this ID', none),
    ipaddress: param.string('this address', none),
    allocatedonly: param.boolean('only addresses that are allocated', none),
    allocatednetworkid: param.uuid('addresses of this network', none),
    associatednetworkid: param.uuid('addresses associated with this network', none),
    fordisplay: param.boolean('addresses that are displayed', none),
    forloadbalancing: param.boolean('addresses for load balancing', none),
    forvirtualnetwork: param.boolean('addresses of virtual networks', none),
    issourcenat: param.boolean('addresses of source NAT', none),
    isstaticnat: param.boolean('addresses of static NAT', none),
    physicalnetworkid: param.uuid('addresses of this physical network', none),
    state: param.string('addresses in this state', none),
    vlanid: param.uuid('addresses of this range', none),
    vpcid: param.uuid('addresses of this VPC', none),
    zoneid: param.uuid('addresses of this zone', none),
    ...noTagFilter,
    ...projectFilter,
    ...ownerParams,
    ...pagingParams,
  },
  response: publicIpAddressFields,
  result: { kind: 'list', key: 'publicipaddress' },
  roles: everyone,
});

export const listPortForwardingRules = defineCommand({
  name: 'listPortForwardingRules',
  description: 'Lists port forwarding rules: there are none',
  isAsync: false,
  params: {
    id: param.uuid('the rule of this ID', none),
    ipaddressid: param.uuid('rules of this public address', none),
    networkid: param.uuid('rules of this network', none),
    fordisplay: param.boolean('rules that are displayed', none),
    ...noTagFilter,
    ...projectFilter,
    ...ownerParams,
    ...pagingParams,
  },
  response: forwardingRuleFields,
  result: { kind: 'list', key: 'portforwardingrule' },
  roles: everyone,
});

export const listIpForwardingRules = defineCommand({
  name: 'listIpForwardingRules',
  description: 'Lists rules of static NAT: there are none',
  isAsync: false,
  params: {
    id: param.uuid('the rule of this ID', none),
    ipaddressid: param.uuid('rules of this public address', none),
    virtualmachineid: param.uuid('rules of this instance', none),
    ...projectFilter,
    ...ownerParams,
    ...pagingParams,
  },
  response: forwardingRuleFields,
  result: { kind: 'list', key: 'ipforwardingrule' },
  roles: everyone,
});
