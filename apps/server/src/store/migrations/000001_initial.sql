-- Tables and columns carry CloudStack's names where it has them. Times are timestamptz, sizes are bytes.

create table domain (
  id bigint generated always as identity primary key,
  uuid uuid not null unique,
  name text not null,
  path text not null unique,
  parent bigint references domain,
  level int not null default 0,
  created timestamptz not null default now(),
  removed timestamptz
);

create table account (
  id bigint generated always as identity primary key,
  uuid uuid not null unique,
  account_name text not null,
  -- 0 user, 1 root admin, 2 domain admin
  type int not null,
  domain_id bigint not null references domain,
  state text not null default 'enabled',
  created timestamptz not null default now(),
  removed timestamptz,
  unique (domain_id, account_name)
);

create table "user" (
  id bigint generated always as identity primary key,
  uuid uuid not null unique,
  username text not null,
  -- argon2id, PHC string
  password text not null,
  account_id bigint not null references account,
  firstname text not null default '',
  lastname text not null default '',
  email text not null default '',
  state text not null default 'enabled',
  timezone text,
  api_key text unique,
  secret_key text,
  created timestamptz not null default now(),
  removed timestamptz
);

create table user_session (
  -- SHA-256 (hex) of the JSESSIONID cookie: the table alone lets nobody in
  id text primary key,
  session_key_hash text not null,
  user_id bigint not null references "user",
  created timestamptz not null default now(),
  last_used timestamptz not null default now()
);

create table configuration (
  -- only values that differ from the default in the code's table of settings
  name text primary key,
  value text not null,
  updated timestamptz not null default now()
);

create table data_center (
  id bigint generated always as identity primary key,
  uuid uuid not null unique,
  name text not null,
  networktype text not null default 'Advanced',
  dns1 text not null,
  internal_dns1 text not null,
  allocation_state text not null default 'Enabled',
  local_storage_enabled boolean not null default true,
  location text,
  created timestamptz not null default now(),
  removed timestamptz
);

create table host_pod_ref (
  id bigint generated always as identity primary key,
  uuid uuid not null unique,
  name text not null,
  data_center_id bigint not null references data_center,
  gateway text,
  netmask text,
  start_ip text,
  end_ip text,
  allocation_state text not null default 'Enabled',
  location text,
  created timestamptz not null default now(),
  removed timestamptz
);

create table cluster (
  id bigint generated always as identity primary key,
  uuid uuid not null unique,
  name text not null,
  pod_id bigint not null references host_pod_ref,
  data_center_id bigint not null references data_center,
  hypervisor_type text not null default 'KVM',
  allocation_state text not null default 'Enabled',
  managed_state text not null default 'Managed',
  location text,
  created timestamptz not null default now(),
  removed timestamptz
);

create table host (
  id bigint generated always as identity primary key,
  uuid uuid not null unique,
  name text not null,
  -- Connecting, Up, Disconnected, Alert, Down, Removed
  status text not null,
  type text not null default 'Routing',
  resource_state text not null default 'Enabled',
  private_ip_address text,
  data_center_id bigint not null references data_center,
  pod_id bigint not null references host_pod_ref,
  cluster_id bigint not null references cluster,
  hypervisor_type text not null default 'KVM',
  hypervisor_version text,
  -- kvm or qemu (TCG)
  virt_type text,
  arch text not null default 'x86_64',
  cpus int not null default 0,
  speed int not null default 0,
  ram bigint not null default 0,
  ram_free bigint,
  load_average double precision,
  version text,
  location text,
  last_ping timestamptz,
  disconnected timestamptz,
  created timestamptz not null default now(),
  removed timestamptz
);

create table agent_join_token (
  id text primary key,
  -- SHA-256 (hex) of the secret part
  secret_hash text not null,
  cluster_id bigint not null references cluster,
  expires timestamptz not null,
  -- set when the token is spent: it admits one host, once
  host_id bigint references host,
  created timestamptz not null default now()
);

create table storage_pool (
  id bigint generated always as identity primary key,
  uuid uuid not null unique,
  name text not null,
  pool_type text not null,
  -- HOST, CLUSTER, ZONE
  scope text not null,
  path text not null,
  host_address text,
  data_center_id bigint not null references data_center,
  pod_id bigint references host_pod_ref,
  cluster_id bigint references cluster,
  capacity_bytes bigint not null default 0,
  used_bytes bigint not null default 0,
  status text not null default 'Up',
  tags text,
  created timestamptz not null default now(),
  removed timestamptz
);

create table storage_pool_host_ref (
  pool_id bigint not null references storage_pool,
  host_id bigint not null references host,
  local_path text not null,
  created timestamptz not null default now(),
  primary key (pool_id, host_id)
);

create table service_offering (
  id bigint generated always as identity primary key,
  uuid uuid not null unique,
  name text not null,
  display_text text not null,
  cpu int not null,
  speed int not null,
  ram_size int not null,
  -- local or shared
  storage_type text not null default 'local',
  tags text,
  host_tag text,
  created timestamptz not null default now(),
  removed timestamptz
);

create table networks (
  id bigint generated always as identity primary key,
  uuid uuid not null unique,
  name text not null,
  display_text text not null,
  data_center_id bigint not null references data_center,
  traffic_type text not null default 'Guest',
  guest_type text not null default 'Shared',
  state text not null default 'Setup',
  -- libvirt network and bridge on every host
  libvirt_name text not null,
  bridge text not null,
  gateway text not null,
  netmask text not null,
  cidr text not null,
  start_ip text not null,
  end_ip text not null,
  is_default boolean not null default false,
  created timestamptz not null default now(),
  removed timestamptz
);

create table guest_os_category (
  id bigint generated always as identity primary key,
  uuid uuid not null unique,
  name text not null unique
);

create table guest_os (
  id bigint generated always as identity primary key,
  uuid uuid not null unique,
  category_id bigint not null references guest_os_category,
  display_name text not null unique
);

create table vm_template (
  id bigint generated always as identity primary key,
  uuid uuid not null unique,
  unique_name text not null,
  name text not null,
  display_text text not null,
  public boolean not null default false,
  featured boolean not null default false,
  type text not null default 'USER',
  bits int not null default 64,
  url text not null,
  -- QCOW2, RAW, ISO
  format text not null,
  account_id bigint not null references account,
  -- {ALG}hex
  checksum text,
  enable_password boolean not null default false,
  enable_sshkey boolean not null default false,
  guest_os_id bigint not null references guest_os,
  bootable boolean not null default true,
  extractable boolean not null default false,
  cross_zones boolean not null default false,
  dynamically_scalable boolean not null default false,
  hvm boolean not null default true,
  hypervisor_type text not null default 'KVM',
  template_tag text,
  arch text not null default 'x86_64',
  direct_download boolean not null,
  -- virtual size, bytes, as the probe saw it
  size bigint,
  -- bytes that are transferred, as the probe saw it
  physical_size bigint,
  -- sources that hosts may try, as the probe saw them
  source_count int,
  state text not null default 'Active',
  created timestamptz not null default now(),
  removed timestamptz
);

create table vm_template_details (
  id bigint generated always as identity primary key,
  template_id bigint not null references vm_template on delete cascade,
  name text not null,
  value text not null,
  unique (template_id, name)
);

create table template_zone_ref (
  zone_id bigint not null references data_center,
  template_id bigint not null references vm_template,
  created timestamptz not null default now(),
  removed timestamptz,
  primary key (zone_id, template_id)
);

-- A template's copy on a primary storage pool. The row is also the lease: one transfer per (pool, template), whoever
-- comes later follows transfer_progress.
create table template_spool_ref (
  id bigint generated always as identity primary key,
  pool_id bigint not null references storage_pool,
  template_id bigint not null references vm_template,
  created timestamptz not null default now(),
  last_updated timestamptz not null default now(),
  job_id text,
  download_pct int not null default 0,
  -- NOT_DOWNLOADED, DOWNLOAD_IN_PROGRESS, DOWNLOADED, DOWNLOAD_ERROR
  download_state text not null,
  error_str text,
  local_path text,
  install_path text,
  template_size bigint not null default 0,
  -- digest of the transferred bytes, {ALG}hex
  checksum text,
  -- Allocated, Ready, Failed
  state text not null,
  marked_for_gc boolean not null default false,
  -- counts transfers: followers of one transfer share its failure and start none of their own
  generation int not null default 0,
  lease_owner text,
  lease_until timestamptz,
  transfer_progress jsonb,
  failure jsonb,
  unique (pool_id, template_id)
);

create table vm_instance (
  id bigint generated always as identity primary key,
  uuid uuid not null unique,
  name text not null,
  display_name text not null,
  instance_name text not null unique,
  -- Starting, Running, Stopping, Stopped, Destroyed, Expunging, Expunged, Error, Unknown
  state text not null,
  update_count bigint not null default 0,
  vm_template_id bigint not null references vm_template,
  guest_os_id bigint not null references guest_os,
  host_id bigint references host,
  last_host_id bigint references host,
  pod_id bigint references host_pod_ref,
  data_center_id bigint not null references data_center,
  account_id bigint not null references account,
  user_id bigint not null references "user",
  service_offering_id bigint not null references service_offering,
  user_data text,
  error_text text,
  power_state text,
  power_state_update_time timestamptz,
  created timestamptz not null default now(),
  update_time timestamptz not null default now(),
  removed timestamptz
);
create index vm_instance_live on vm_instance (state) where removed is null;

create table vm_instance_details (
  id bigint generated always as identity primary key,
  vm_id bigint not null references vm_instance on delete cascade,
  name text not null,
  value text not null,
  unique (vm_id, name)
);

create table volumes (
  id bigint generated always as identity primary key,
  uuid uuid not null unique,
  name text not null,
  volume_type text not null default 'ROOT',
  -- Allocated, Creating, Ready, Destroy, Expunged
  state text not null,
  size bigint not null default 0,
  physical_size bigint,
  path text,
  device_id int not null default 0,
  instance_id bigint references vm_instance,
  template_id bigint references vm_template,
  pool_id bigint references storage_pool,
  data_center_id bigint not null references data_center,
  account_id bigint not null references account,
  created timestamptz not null default now(),
  attached timestamptz,
  removed timestamptz
);

create table nics (
  id bigint generated always as identity primary key,
  uuid uuid not null unique,
  instance_id bigint not null references vm_instance,
  network_id bigint not null references networks,
  mac_address text not null unique,
  ip4_address text,
  netmask text,
  gateway text,
  device_id int not null default 0,
  default_nic boolean not null default true,
  created timestamptz not null default now(),
  removed timestamptz
);
create unique index nics_address on nics (network_id, ip4_address) where removed is null and ip4_address is not null;

create table event (
  id bigint generated always as identity primary key,
  uuid uuid not null unique,
  type text not null,
  -- Created, Scheduled, Started, Completed
  state text not null,
  -- INFO, WARN, ERROR
  level text not null,
  description text not null,
  user_id bigint references "user",
  account_id bigint references account,
  domain_id bigint references domain,
  resource_type text,
  resource_uuid uuid,
  job_uuid uuid,
  -- the event that opened the chain this one belongs to
  start_uuid uuid,
  created timestamptz not null default now()
);
create index event_created on event (created);

create table async_job (
  id bigint generated always as identity primary key,
  uuid uuid not null unique,
  user_id bigint not null references "user",
  account_id bigint not null references account,
  -- API command name, deployVirtualMachine
  job_cmd text not null,
  job_cmd_info jsonb not null,
  -- 0 pending, 1 succeeded, 2 failed, 3 cancelled
  job_status int not null default 0,
  job_process_status int not null default 0,
  job_result_code int not null default 0,
  job_result jsonb,
  -- own field, shown while pending too; json, since jsonb would lose the order of the phases
  job_progress json,
  instance_type text,
  instance_uuid uuid,
  -- how often a worker picked the job up
  attempts int not null default 0,
  executing_server text,
  created timestamptz not null default now(),
  last_updated timestamptz not null default now(),
  completed timestamptz
);
create index async_job_pending on async_job (job_status) where job_status = 0;
create index async_job_completed on async_job (completed) where job_status <> 0;

create table job_step (
  id bigint generated always as identity primary key,
  job_id bigint not null references async_job on delete cascade,
  -- unique within the job: host-1/prepare-template
  name text not null,
  -- running, done, failed, undone
  state text not null,
  output jsonb,
  error text,
  started timestamptz not null default now(),
  ended timestamptz,
  unique (job_id, name)
);

-- Every attempt of a deployment at a host, and within it every try at a source (invariant 3).
create table deployment_attempt (
  id bigint generated always as identity primary key,
  job_id bigint not null references async_job on delete cascade,
  vm_id bigint references vm_instance,
  ordinal int not null,
  host_id bigint references host,
  pool_id bigint references storage_pool,
  -- running, succeeded, failed
  state text not null,
  reason text,
  message text,
  -- next-host, stop, done
  next text,
  source_attempts jsonb not null default '[]',
  -- json keeps the phases in their order
  phase_ms json,
  started timestamptz not null default now(),
  ended timestamptz,
  unique (job_id, ordinal)
);
