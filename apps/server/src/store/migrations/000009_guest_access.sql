-- SSH key pairs: the public halves. Private ones are told once and kept nowhere.
create table ssh_keypairs (
  id bigint generated always as identity primary key,
  uuid uuid not null unique,
  account_id bigint not null references account,
  keypair_name text not null,
  fingerprint text not null,
  public_key text not null,
  created timestamptz not null default now(),
  unique (account_id, keypair_name),
  unique (account_id, fingerprint)
);

create table user_data (
  id bigint generated always as identity primary key,
  uuid uuid not null unique,
  account_id bigint not null references account,
  name text not null,
  -- Base64
  user_data text not null,
  -- comma list of the names of its variables
  params text,
  created timestamptz not null default now(),
  unique (account_id, name)
);

alter table vm_template
  add column user_data_id bigint references user_data,
  add column user_data_link_policy text,
  add constraint vm_template_user_data check ((user_data_id is null) = (user_data_link_policy is null));
create index vm_template_user_data_id on vm_template (user_data_id) where user_data_id is not null;

alter table vm_instance
  add column ha_enabled boolean not null default false,
  -- where user_data, a copy, came from
  add column user_data_id bigint references user_data on delete set null,
  -- {name: value}
  add column user_data_details jsonb,
  -- [{name, publicKey}]: copies, since a key pair may be deleted while instances have it
  add column ssh_keys jsonb not null default '[]',
  -- with the instance's public key, for getVMPassword
  add column encrypted_password text,
  -- in clear, from when it is made until the start that hands it to the guest
  add column new_password text;
create index vm_instance_user_data_id on vm_instance (user_data_id) where user_data_id is not null;
