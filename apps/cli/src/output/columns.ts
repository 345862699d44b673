import type { ApiField, JsonObject } from '@millrace/api-client';

/** The few fields of an entity that fit a table and that people look for first. By the key of the answer. */
const usualColumns: Readonly<Record<string, readonly string[]>> = {
  virtualmachine: ['id', 'name', 'state', 'nic.ipaddress', 'templatename', 'serviceofferingname', 'hostname'],
  template: ['id', 'name', 'status', 'isready', 'format', 'size', 'directdownload', 'zonename'],
  iso: ['id', 'name', 'status', 'isready', 'size', 'directdownload', 'zonename'],
  zone: ['id', 'name', 'networktype', 'allocationstate'],
  pod: ['id', 'name', 'zonename', 'gateway', 'netmask', 'allocationstate'],
  cluster: ['id', 'name', 'hypervisortype', 'podname', 'zonename', 'allocationstate', 'managedstate'],
  host: ['id', 'name', 'state', 'resourcestate', 'type', 'ipaddress', 'clustername'],
  storagepool: ['id', 'name', 'type', 'scope', 'state', 'disksizeused', 'disksizetotal', 'path'],
  imagestore: ['id', 'name', 'protocol', 'providername', 'scope', 'url'],
  serviceoffering: ['id', 'name', 'cpunumber', 'cpuspeed', 'memory', 'storagetype'],
  diskoffering: ['id', 'name', 'disksize', 'storagetype', 'iscustomized'],
  network: ['id', 'name', 'state', 'type', 'cidr', 'gateway', 'zonename'],
  networkoffering: ['id', 'name', 'state', 'guestiptype', 'traffictype'],
  ostype: ['id', 'description', 'oscategoryname'],
  volume: ['id', 'name', 'type', 'state', 'size', 'vmname', 'storage'],
  event: ['created', 'level', 'type', 'state', 'username', 'description'],
  configuration: ['name', 'value', 'scope', 'category', 'description'],
  capacity: ['name', 'zonename', 'capacityused', 'capacityallocated', 'capacitytotal', 'percentused'],
  user: ['id', 'username', 'account', 'domain', 'state', 'email'],
  account: ['id', 'name', 'rolename', 'domain', 'state'],
  domain: ['id', 'name', 'path', 'state'],
  asyncjobs: ['jobid', 'cmd', 'jobstatus', 'jobinstancetype', 'jobinstanceid', 'created', 'completed'],
  api: ['name', 'isasync', 'description'],
  userkeys: ['apikey', 'secretkey'],
};

/** For an entity that nobody thought of. */
const commonColumns = [
  'id',
  'name',
  'username',
  'displaytext',
  'description',
  'state',
  'status',
  'type',
  'created',
];
const mostColumns = 6;

/** The fields to show of an entity when the caller named none: the usual ones that the rows have. */
export function usualColumnsOf(key: string, rows: readonly JsonObject[]): string[] {
  const present = (path: string) => rows.some((row) => row[path.split('.')[0]!] !== undefined);
  const usual = usualColumns[key]?.filter(present) ?? [];
  if (usual.length > 0) return usual;
  const common = commonColumns.filter(present).slice(0, mostColumns);
  if (common.length > 0) return common;
  return allColumnsOf([], rows).slice(0, mostColumns);
}

/** Whether somebody chose columns for this kind of entity. */
export function hasUsualColumns(key: string): boolean {
  return Object.hasOwn(usualColumns, key);
}

/** Every field of any row, in the order of the description, then as they come. */
export function allColumnsOf(fields: readonly ApiField[], rows: readonly JsonObject[]): string[] {
  const present = new Set(rows.flatMap((row) => Object.keys(row)));
  const described = fields.map((field) => field.name).filter((name) => present.has(name));
  return [...new Set([...described, ...present])];
}
