-- What data disks are made from: CloudStack's disk_offering. A size of null: whoever makes a disk says it.
create table disk_offering (
  id bigint generated always as identity primary key,
  uuid uuid not null unique,
  name text not null,
  display_text text not null,
  disk_size bigint,
  created timestamptz not null default now(),
  removed timestamptz
);
alter table volumes add column disk_offering_id bigint references disk_offering (id);
insert into disk_offering (uuid, name, display_text, disk_size) values
  (gen_random_uuid(), 'Small', 'Small: 5 GB', 5368709120),
  (gen_random_uuid(), 'Medium', 'Medium: 20 GB', 21474836480),
  (gen_random_uuid(), 'Custom', 'Custom: any size', null);
