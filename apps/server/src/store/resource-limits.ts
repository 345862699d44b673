import { sql } from 'kysely';
import {
  type Amounts,
  countedTypes,
  type Exceeded,
  firstExceeded,
  type ResourceName,
  unlimited,
} from '../domain/resource-types.ts';
import type { Settings } from '../domain/settings.ts';
import type { Executor } from './database.ts';
import { readSettings } from './settings.ts';

/** An account, or all accounts of a domain and those below it. */
export type Whose = { readonly accountId: number } | { readonly domainPath: string };
export type Holder = { readonly accountId: number } | { readonly domainId: number };

const deadStates = ['Destroyed', 'Expunging', 'Expunged', 'Error'];

/** What is in use: destroyed instances and their root disks are not, until they are recovered. */
export async function usedResources(executor: Executor, whose: Whose): Promise<Required<Amounts>> {
  const owned =
    'accountId' in whose
      ? sql`account_id = ${whose.accountId}`
      : sql`account_id in (select account.id from account join domain on domain.id = account.domain_id
          where starts_with(domain.path, ${whose.domainPath}))`;
  const { rows } = await sql<Required<Amounts>>`
    with alive as (
      select vm_instance.id, cpu, ram_size from vm_instance
        join service_offering on service_offering.id = service_offering_id
      where vm_instance.${owned} and vm_instance.removed is null and state <> all (${deadStates})
    ), disks as (
      select volumes.size from volumes left join vm_instance on vm_instance.id = instance_id
      where volumes.${owned} and volumes.removed is null and volumes.state not in ('Destroy', 'Expunged')
        and not (volume_type = 'ROOT' and coalesce(vm_instance.state = any (${deadStates}), false))
    )
    select
      (select count(*) from alive) as user_vm,
      (select coalesce(sum(cpu), 0)::bigint from alive) as cpu,
      (select coalesce(sum(ram_size), 0)::bigint from alive) as memory,
      (select count(*) from disks) as volume,
      (select coalesce(ceil(sum(size) / 1073741824.0), 0)::bigint from disks) as primary_storage,
      (select count(*) from vm_template where ${owned} and removed is null) as template
  `.execute(executor);
  return rows[0]!;
}

interface LimitedAccount {
  readonly id: number;
  readonly type: number;
}

/** What each of these accounts may have. */
export async function limitsOfAccounts(
  executor: Executor,
  accounts: readonly LimitedAccount[],
): Promise<ReadonlyMap<number, Required<Amounts>>> {
  const settings = await readSettings(executor);
  const own = await executor
    .selectFrom('resource_limit')
    .where('account_id', '=', sql<number>`any(${accounts.map(({ id }) => id)})`)
    .selectAll()
    .execute();
  return new Map(
    accounts.map(({ id, type }) => [
      id,
      amounts(
        (name) => own.find((row) => row.account_id === id && row.type === name)?.max,
        // root admins could raise their own
        (which) => (type === 1 ? unlimited : settings[which.account]),
      ),
    ]),
  );
}

/** What each of these domains, with those below it, may have. */
export async function limitsOfDomains(
  executor: Executor,
  domains: readonly { readonly id: number; readonly path: string }[],
): Promise<ReadonlyMap<number, Required<Amounts>>> {
  const settings: Settings = await readSettings(executor);
  const own = await executor
    .selectFrom('resource_limit')
    .where('domain_id', '=', sql<number>`any(${domains.map(({ id }) => id)})`)
    .selectAll()
    .execute();
  return new Map(
    domains.map(({ id, path }) => [
      id,
      amounts(
        (name) => own.find((row) => row.domain_id === id && row.type === name)?.max,
        (which) => (path === '/' ? unlimited : settings[which.domain]),
      ),
    ]),
  );
}

function amounts(
  own: (name: ResourceName) => number | undefined,
  byDefault: (type: (typeof countedTypes)[number]) => number,
): Required<Amounts> {
  // one entry for each name of the table
  return Object.fromEntries(
    countedTypes.map((type) => [type.name, own(type.name) ?? byDefault(type)]),
  ) as Required<Amounts>;
}

export interface LimitReached extends Exceeded {
  /** `Account Name = ada`, `Domain Name = acme`. */
  readonly holder: string;
}

/**
 * Looks whether an account may have so much more, by its own limits and by those of every domain it is in. What is
 * counted is locked until the transaction ends, so that two requests cannot both get the last of it.
 */
export async function findLimitReached(
  executor: Executor,
  accountId: number,
  asked: Amounts,
): Promise<LimitReached | undefined> {
  const domains = await limitedDomains(executor, accountId);
  const account = await executor
    .selectFrom('account')
    .select(['id', 'type', 'account_name'])
    .where('id', '=', accountId)
    .forNoKeyUpdate()
    .executeTakeFirstOrThrow();
  const limits = (await limitsOfAccounts(executor, [account])).get(account.id) ?? {};
  const exceeded = isLimited(limits)
    ? firstExceeded(limits, await usedResources(executor, { accountId }), asked)
    : undefined;
  if (exceeded) return { ...exceeded, holder: `Account Name = ${account.account_name}` };
  for (const domain of domains) {
    const used = await usedResources(executor, { domainPath: domain.path });
    const reached = firstExceeded(domain.limits, used, asked);
    if (reached) return { ...reached, holder: `Domain Name = ${domain.name}` };
  }
  return undefined;
}

/** The domains around an account that limit anything, locked from the outermost one. */
async function limitedDomains(executor: Executor, accountId: number) {
  const around = await executor
    .selectFrom('domain')
    .innerJoin('account', (join) => join.on('account.id', '=', accountId))
    .innerJoin('domain as own', 'own.id', 'account.domain_id')
    .where(sql<boolean>`starts_with(own.path, domain.path)`)
    .where('domain.removed', 'is', null)
    .select(['domain.id', 'domain.name', 'domain.path'])
    .orderBy('domain.level')
    .execute();
  const limits = await limitsOfDomains(executor, around);
  const limited = around.flatMap((domain) => {
    const own = limits.get(domain.id) ?? {};
    return isLimited(own) ? [{ ...domain, limits: own }] : [];
  });
  for (const { id } of limited)
    await executor.selectFrom('domain').select('id').where('id', '=', id).forNoKeyUpdate().execute();
  return limited;
}

function isLimited(limits: Amounts): boolean {
  return Object.values(limits).some((max) => max !== unlimited);
}

/** Sets a limit; `undefined` brings back the default. */
export async function writeLimit(
  executor: Executor,
  holder: Holder,
  type: ResourceName,
  max: number | undefined,
): Promise<void> {
  const column = 'accountId' in holder ? 'account_id' : 'domain_id';
  const id = 'accountId' in holder ? holder.accountId : holder.domainId;
  await executor.deleteFrom('resource_limit').where(column, '=', id).where('type', '=', type).execute();
  if (max === undefined) return;
  await executor
    .insertInto('resource_limit')
    .values({ [column]: id, type, max })
    .execute();
}

/** What a destroyed instance takes when it comes back: its data disks are counted all the time. */
export async function resourcesOfVm(executor: Executor, vmId: number): Promise<Amounts> {
  const { rows } = await sql<{ cpu: number; memory: number; bytes: number }>`
    select cpu, ram_size as memory,
      (select coalesce(sum(size), 0)::bigint from volumes
        where instance_id = vm_instance.id and volume_type = 'ROOT' and volumes.removed is null) as bytes
    from vm_instance join service_offering on service_offering.id = service_offering_id
    where vm_instance.id = ${vmId}
  `.execute(executor);
  const { cpu, memory, bytes } = rows[0]!;
  return { user_vm: 1, volume: 1, cpu, memory, primary_storage: Math.ceil(bytes / 1024 ** 3) };
}
