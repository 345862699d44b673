alter table service_offering
  -- whether instances of it are started elsewhere when their host is lost
  add column ha_enabled boolean not null default false;

alter table vm_instance
  -- seconds after which its host ends it by itself when it has lost everybody; null: its host promised nothing
  add column ha_lease_seconds int,
  -- it ended without anybody asking for it, and has to run again
  add column ha_restart boolean not null default false;

create index vm_instance_ha_restart on vm_instance (id) where ha_restart;
