-- The ISO in an instance's CD-ROM drive: CloudStack's user_vm.iso_id. An ISO is a template of the format ISO.
alter table vm_instance add column iso_id bigint references vm_template (id);
create index vm_instance_iso_id on vm_instance (iso_id) where iso_id is not null;
