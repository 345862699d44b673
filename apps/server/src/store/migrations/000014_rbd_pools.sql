-- An RBD pool: its monitors are host_address, the pool of the cluster is path. The secret is for hosts alone.
alter table storage_pool
  add column port integer,
  add column rbd_user text,
  add column rbd_secret text;
