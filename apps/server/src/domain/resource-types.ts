/** What accounts and domains may have limited amounts of: CloudStack's numbers and names. */
export const resourceTypes = [
  { number: 0, name: 'user_vm', account: 'max.account.user.vms', domain: 'max.domain.user.vms' },
  { number: 1, name: 'public_ip' },
  { number: 2, name: 'volume', account: 'max.account.volumes', domain: 'max.domain.volumes' },
  { number: 3, name: 'snapshot' },
  { number: 4, name: 'template', account: 'max.account.templates', domain: 'max.domain.templates' },
  { number: 5, name: 'project' },
  { number: 6, name: 'network' },
  { number: 7, name: 'vpc' },
  { number: 8, name: 'cpu', account: 'max.account.cpus', domain: 'max.domain.cpus' },
  { number: 9, name: 'memory', account: 'max.account.memory', domain: 'max.domain.memory' },
  {
    number: 10,
    name: 'primary_storage',
    account: 'max.account.primary.storage',
    domain: 'max.domain.primary.storage',
  },
  { number: 11, name: 'secondary_storage' },
] as const;

type ResourceType = (typeof resourceTypes)[number];
/** Those that there is something of here. */
export type CountedType = Extract<ResourceType, { account: string }>;
export type ResourceName = CountedType['name'];

export function isCounted(type: ResourceType): type is CountedType {
  return 'account' in type;
}

export const countedTypes: readonly CountedType[] = resourceTypes.filter(isCounted);

/** Amounts: instances, volumes and templates by number, `cpu` cores, `memory` MiB, `primary_storage` GiB. */
export type Amounts = Readonly<Partial<Record<ResourceName, number>>>;

export const unlimited = -1;

export interface Exceeded {
  readonly type: ResourceName;
  readonly limit: number;
  readonly used: number;
  readonly asked: number;
}

/** The first amount that would go beyond its limit. Having more than a limit that was lowered is no reason by itself. */
export function firstExceeded(limits: Amounts, used: Amounts, asked: Amounts): Exceeded | undefined {
  for (const { name } of countedTypes) {
    const more = asked[name] ?? 0;
    const limit = limits[name] ?? unlimited;
    const has = used[name] ?? 0;
    if (more > 0 && limit !== unlimited && has + more > limit)
      return { type: name, limit, used: has, asked: more };
  }
  return undefined;
}

const accountLimits = { category: 'Account Defaults', group: 'Account', subgroup: 'Limits' } as const;
const most = 1e15;
const limit = (description: string, byDefault: number) =>
  ({
    ...accountLimits,
    kind: 'number',
    default: byDefault,
    min: unlimited,
    max: most,
    description: `${description}; -1: no limit. An account or domain may have its own (updateResourceLimit)`,
  }) as const;

/** What an account or a domain may have that has no limit of its own. Root admins' accounts and the ROOT domain: all. */
export const limitSettings = {
  'max.account.user.vms': limit('Instances of an account', 20),
  'max.account.volumes': limit('Volumes of an account', 20),
  'max.account.templates': limit('Templates and ISOs of an account', 20),
  'max.account.cpus': limit('CPUs of all instances of an account', 40),
  'max.account.memory': limit('MiB of memory of all instances of an account', 40_960),
  'max.account.primary.storage': limit('GiB of all volumes of an account', 200),
  'max.domain.user.vms': limit('Instances of a domain and those below it', unlimited),
  'max.domain.volumes': limit('Volumes of a domain and those below it', unlimited),
  'max.domain.templates': limit('Templates and ISOs of a domain and those below it', unlimited),
  'max.domain.cpus': limit('CPUs of all instances of a domain and those below it', unlimited),
  'max.domain.memory': limit('MiB of memory of a domain and those below it', unlimited),
  'max.domain.primary.storage': limit('GiB of all volumes of a domain and those below it', unlimited),
} as const;
