-- Settings that a zone, pool, account or domain has a value of its own of, beside clusters (000012).
create table data_center_details (
  data_center_id bigint not null references data_center,
  name text not null,
  value text not null,
  primary key (data_center_id, name)
);
create table storage_pool_details (
  pool_id bigint not null references storage_pool,
  name text not null,
  value text not null,
  primary key (pool_id, name)
);
create table account_details (
  account_id bigint not null references account,
  name text not null,
  value text not null,
  primary key (account_id, name)
);
create table domain_details (
  domain_id bigint not null references domain,
  name text not null,
  value text not null,
  primary key (domain_id, name)
);
