-- Further options of a NetworkFilesystem's mount.
alter table storage_pool add column mount_options text;
