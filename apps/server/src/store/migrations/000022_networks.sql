create table physical_network (
  id bigint generated always as identity primary key,
  uuid uuid not null unique,
  name text not null,
  data_center_id bigint not null references data_center,
  -- the VLANs that networks may be given, as 100-199
  vlan_range text,
  speed text,
  tags text,
  state text not null default 'Enabled',
  created timestamptz not null default now(),
  removed timestamptz
);
create trigger living_place before insert on physical_network for each row execute function demand_living_place();

create table physical_network_traffic_type (
  id bigint generated always as identity primary key,
  uuid uuid not null unique,
  physical_network_id bigint not null references physical_network,
  traffic_type text not null,
  -- a bridge or network card of every host
  kvm_network_label text,
  unique (physical_network_id, traffic_type)
);

create table network_offering (
  id bigint generated always as identity primary key,
  uuid uuid not null unique,
  name text not null,
  display_text text not null,
  guest_type text not null check (guest_type in ('Shared', 'L2')),
  specify_vlan boolean not null,
  specify_ip_ranges boolean not null,
  state text not null default 'Disabled',
  is_default boolean not null default false,
  sort_key integer not null default 0,
  created timestamptz not null default now(),
  removed timestamptz
);
create unique index network_offering_name on network_offering (lower(name)) where removed is null;
insert into network_offering (uuid, name, display_text, guest_type, specify_vlan, specify_ip_ranges, state, is_default) values
  (gen_random_uuid(), 'HostNat', 'A network of each host’s own, behind NAT', 'Shared', false, false, 'Enabled', true),
  (gen_random_uuid(), 'DefaultSharedNetworkOffering', 'A network around the hosts, with addresses from ranges', 'Shared', true, true, 'Enabled', true),
  (gen_random_uuid(), 'DefaultL2NetworkOffering', 'A VLAN from the range of the physical network', 'L2', false, false, 'Enabled', true),
  (gen_random_uuid(), 'DefaultL2NetworkOfferingVlan', 'A VLAN that an administrator names', 'L2', true, false, 'Enabled', true);

alter table networks
  alter column gateway drop not null,
  alter column netmask drop not null,
  alter column cidr drop not null,
  alter column start_ip drop not null,
  alter column end_ip drop not null,
  add column kind text not null default 'nat' check (kind in ('nat', 'bridge')),
  add column network_offering_id bigint references network_offering,
  add column physical_network_id bigint references physical_network,
  add column uplink text,
  add column vlan integer,
  add column acl_type text not null default 'Domain',
  -- who may use it: an account, or a domain; neither: everybody
  add column account_id bigint references account,
  add column domain_id bigint references domain,
  add column subdomain_access boolean not null default true,
  add column dns1 text,
  add column dns2 text,
  add check (kind = 'bridge' or (gateway is not null and start_ip is not null)),
  add check (kind = 'nat' or uplink is not null);
update networks set network_offering_id = (select id from network_offering where name = 'HostNat');
create unique index networks_vlan on networks (physical_network_id, vlan)
  where removed is null and vlan is not null;

-- ranges of addresses of networks around the hosts
create table vlan_ip_range (
  id bigint generated always as identity primary key,
  uuid uuid not null unique,
  network_id bigint not null references networks,
  gateway text not null,
  netmask text not null,
  start_ip text not null,
  end_ip text not null,
  created timestamptz not null default now()
);
