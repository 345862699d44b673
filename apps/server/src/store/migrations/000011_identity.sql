-- Roles: who may call which commands. Rules are tried in their order, the first that fits decides, and what none fits is denied.
-- A rule can only narrow what an account's type may do: the code's table of commands stays the bound.
create table roles (
  id bigint generated always as identity primary key,
  uuid uuid not null unique,
  name text not null,
  -- Admin, DomainAdmin or User
  role_type text not null,
  -- the type of account that has this role when none was named
  account_type int unique,
  description text,
  is_default boolean not null default false,
  created timestamptz not null default now(),
  removed timestamptz
);
create unique index roles_name on roles (lower(name)) where removed is null;

create table role_permissions (
  id bigint generated always as identity primary key,
  uuid uuid not null unique,
  role_id bigint not null references roles,
  -- a command's name, or its beginning and *
  rule text not null,
  permission text not null check (permission in ('allow', 'deny')),
  description text,
  sort_order int not null,
  unique (role_id, rule)
);

insert into roles (uuid, name, role_type, account_type, description, is_default) values
  (gen_random_uuid(), 'Root Admin', 'Admin', 1, 'Everything, everywhere', true),
  (gen_random_uuid(), 'Domain Admin', 'DomainAdmin', 2, 'Everything of a domain and the domains below', true),
  (gen_random_uuid(), 'User', 'User', 0, 'Everything of the own account', true),
  (gen_random_uuid(), 'Read-Only Admin - Default', 'Admin', null, 'Sees everything, everywhere, and changes nothing', true),
  (gen_random_uuid(), 'Read-Only User - Default', 'User', null, 'Sees everything of the own account and changes nothing', true);

insert into role_permissions (uuid, role_id, rule, permission, sort_order)
  select gen_random_uuid(), id, '*', 'allow', 0 from roles where account_type is not null;
-- what answers with secrets is no mere looking
insert into role_permissions (uuid, role_id, rule, permission, sort_order)
  select gen_random_uuid(), roles.id, rules.rule, rules.permission, rules.sort_order
  from roles, (values ('getUserKeys', 'deny', 0), ('getVMPassword', 'deny', 1), ('list*', 'allow', 2), ('get*', 'allow', 3),
    ('query*', 'allow', 4), ('logout', 'allow', 5), ('*', 'deny', 6)) as rules (rule, permission, sort_order)
  where roles.account_type is null;

alter table account
  -- null: the one that goes with the account's type
  add column role_id bigint references roles;
-- a name is free again once its owner is gone
alter table account drop constraint account_domain_id_account_name_key;
create unique index account_name_in_domain on account (domain_id, lower(account_name)) where removed is null;
alter table domain drop constraint domain_path_key;
create unique index domain_path on domain (lower(path)) where removed is null;
create index account_domain on account (domain_id);
create index user_account on "user" (account_id);

-- A deployment that was on its way while its account was deleted: whoever comes second waits for the first, and what is
-- of a removed account does not begin to exist. The deletion locks the account's row before it counts.
create function demand_living_account() returns trigger language plpgsql as $$
begin
  perform from account where id = new.account_id and removed is null for key share;
  if not found then
    raise exception 'account % is removed', new.account_id;
  end if;
  return new;
end $$;
create trigger living_account before insert on vm_instance for each row execute function demand_living_account();
create trigger living_account before insert on volumes for each row execute function demand_living_account();
create trigger living_account before insert on vm_template for each row execute function demand_living_account();
create trigger living_account before insert on "user" for each row execute function demand_living_account();
