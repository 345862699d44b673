alter table host
  -- a comma list: an offering's host tag must be among them
  add column tags text,
  -- a name that was given by hand stays, whatever the machine says of itself
  add column renamed boolean not null default false;

-- Settings with a value of their own in a cluster.
create table cluster_details (
  cluster_id bigint not null references cluster,
  name text not null,
  value text not null,
  primary key (cluster_id, name)
);

-- until now every offering meant any pool, whatever was written there
alter table service_offering alter column storage_type set default 'shared';
update service_offering set storage_type = 'shared';
