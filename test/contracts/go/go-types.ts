import { readFileSync } from 'node:fs';
import { z } from 'zod';

/**
 * The types that CloudStack's Go SDK decodes into (entity-types.json: s string, i and i64 whole numbers, f any number, b
 * boolean, map of strings, [x] list, other names objects). One field of another type fails the whole call there.
 */
export const goTypes = z
  .record(z.string(), z.record(z.string(), z.string()))
  .parse(JSON.parse(readFileSync(new URL('entity-types.json', import.meta.url), 'utf8')));

/** What is inside the answer of a command, by the key it is under. */
export const entityOfKey: Readonly<Record<string, string>> = {
  virtualmachine: 'VM',
  volume: 'Volume',
  zone: 'Zone',
  pod: 'Pod',
  cluster: 'Cluster',
  host: 'Host',
  storagepool: 'StoragePool',
  imagestore: 'ImageStore',
  serviceoffering: 'ServiceOffering',
  diskoffering: 'DiskOffering',
  networkoffering: 'NetworkOffering',
  network: 'Network',
  physicalnetwork: 'PhysicalNetwork',
  traffictype: 'TrafficType',
  ostype: 'OsType',
  oscategory: 'OsCategory',
  hypervisor: 'Hypervisor',
  capability: 'Capability',
  configuration: 'Configuration',
  event: 'Event',
  alert: 'Alert',
  resourcelimit: 'ResourceLimit',
  capacity: 'Capacity',
  systemvm: 'SystemVm',
  account: 'Account',
  user: 'User',
  domain: 'Domain',
  role: 'Role',
  tag: 'Tag',
  sshkeypair: 'SSHKeyPair',
  keypair: 'SSHKeyPair',
  userdata: 'UserData',
  region: 'Region',
  hosttag: 'HostTag',
  storagetag: 'StorageTag',
  template: 'Template',
  iso: 'Iso',
  templatepermission: 'TemplatePermission',
  api: 'Api',
};

/** What of a JSON value would fail to decode as a Go type, as `path: problem` lines. */
export function goProblems(type: string, value: unknown, path: string): string[] {
  const wrong = (wanted: string) => [`${path}: ${JSON.stringify(value)?.slice(0, 60)} is no ${wanted}`];
  const item = /^\[(.+)\]$/.exec(type)?.[1];
  if (item !== undefined)
    return Array.isArray(value)
      ? value.flatMap((one, index) => goProblems(item, one, `${path}[${index}]`))
      : wrong('list');
  switch (type) {
    case 'any':
      return [];
    case 's':
    case 'uuid':
      return typeof value === 'string' ? [] : wrong('string');
    case 'b':
      return typeof value === 'boolean' ? [] : wrong('boolean');
    case 'i':
    case 'i64':
      return Number.isSafeInteger(value) ? [] : wrong('whole number');
    case 'f':
      return typeof value === 'number' ? [] : wrong('number');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return wrong('object');
  const entries = Object.entries(value);
  if (type === 'map') return entries.flatMap(([key, one]) => goProblems('s', one, `${path}.${key}`));
  const fields = goTypes[type] ?? {};
  return entries.flatMap(([key, one]) => {
    const of = fields[key];
    return of === undefined ? [] : goProblems(of, one, `${path}.${key}`);
  });
}
