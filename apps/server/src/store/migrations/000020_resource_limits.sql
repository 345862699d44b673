create table resource_limit (
  id bigint generated always as identity primary key,
  account_id bigint references account,
  domain_id bigint references domain,
  type text not null,
  max bigint not null check (max >= -1),
  check ((account_id is null) <> (domain_id is null))
);
create unique index resource_limit_account on resource_limit (account_id, type) where account_id is not null;
create unique index resource_limit_domain on resource_limit (domain_id, type) where domain_id is not null;

-- instances that a maintenance stopped, to be started when it ends
create table storage_pool_work (
  pool_id bigint not null references storage_pool,
  vm_id bigint not null references vm_instance,
  primary key (pool_id, vm_id)
);

-- an alert about space is given once, and again only after the pool had space meanwhile
alter table storage_pool add column low_space_told boolean not null default false;
