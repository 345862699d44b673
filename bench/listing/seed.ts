import { type RawBuilder, sql } from 'kysely';
import { addHost, type TestApi } from '../../apps/server/src/http/testing/test-api.ts';
import type { Database } from '../../apps/server/src/store/database.ts';

/** Fills a cloud that has no hosts with instances on four of them. */
export async function seedInstances({ database }: TestApi, count: number): Promise<void> {
  const hosts: number[] = [];
  for (const name of ['kvm-1', 'kvm-2', 'kvm-3', 'kvm-4']) hosts.push((await addHost(database, name)).hostId);
  await seedInstancesOn(database, hosts, count);
}

/**
 * Fills a cloud with instances by SQL, as many as no test could deploy: half of them run, each has a root disk, a network
 * card, a detail, a tag and a job that ended; they are of one template.
 * @param hosts four of them
 */
export async function seedInstancesOn(
  database: Database,
  hosts: readonly number[],
  count: number,
): Promise<void> {
  const run = async (statement: RawBuilder<unknown>) => statement.execute(database);
  await run(sql`
    insert into vm_template (uuid, unique_name, name, display_text, url, format, direct_download, size, account_id, guest_os_id)
    select gen_random_uuid(), 'seed', 'seed', 'Seed', 'https://images.example/x', 'QCOW2', true, 1073741824, account.id,
      (select min(id) from guest_os)
    from account where account.account_name = 'admin' limit 1`);
  await run(sql`
    insert into vm_instance (uuid, name, display_name, instance_name, state, vm_template_id, guest_os_id, host_id,
      last_host_id, pod_id, data_center_id, account_id, user_id, service_offering_id)
    select gen_random_uuid(), 'seed-' || n, 'Seed ' || n, 'i-seed-' || n || '-VM',
      case when n % 2 = 0 then 'Running' else 'Stopped' end, (select id from vm_template where unique_name = 'seed'),
      (select min(id) from guest_os), case when n % 2 = 0 then host.id end, host.id, host.pod_id, host.data_center_id,
      "user".account_id, "user".id, (select min(id) from service_offering)
    from generate_series(1, ${count}::int) as n
      join host on host.id = (${hosts}::bigint[])[n % 4 + 1]
      cross join (select id, account_id from "user" where username = 'admin') as "user"`);
  await run(sql`
    insert into volumes (uuid, name, state, size, instance_id, template_id, pool_id, data_center_id, account_id)
    select gen_random_uuid(), 'ROOT-' || vm.id, 'Ready', 1073741824, vm.id, vm.vm_template_id, pool.pool_id,
      vm.data_center_id, vm.account_id
    from vm_instance as vm join storage_pool_host_ref as pool on pool.host_id = vm.last_host_id`);
  await run(sql`
    insert into nics (uuid, instance_id, network_id, mac_address, netmask, gateway)
    select gen_random_uuid(), id, (select min(id) from networks), '52:54:00:' || lpad(to_hex(id / 65536), 2, '0') || ':' ||
      lpad(to_hex(id / 256 % 256), 2, '0') || ':' || lpad(to_hex(id % 256), 2, '0'), '255.255.255.248', '10.9.8.1'
    from vm_instance`);
  await run(
    sql`insert into vm_instance_details (vm_id, name, value) select id, 'purpose', 'listing' from vm_instance`,
  );
  await run(sql`
    insert into resource_tags (key, value, resource_type, resource_uuid, account_id)
    select 'number', 'n' || id, 'UserVm', uuid, account_id from vm_instance`);
  await run(sql`
    insert into async_job (uuid, user_id, account_id, job_cmd, job_cmd_info, job_status, instance_type, instance_uuid, completed)
    select gen_random_uuid(), user_id, account_id, 'deployVirtualMachine', '{}', 1, 'VirtualMachine', uuid, now()
    from vm_instance`);
  // as autovacuum would have by then; the tests' PostgreSQL has none
  await run(sql`analyze`);
}
