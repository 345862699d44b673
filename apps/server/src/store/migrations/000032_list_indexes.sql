-- What lists, limits and placement look for in tables that grow with the instances.
create index volumes_account on volumes (account_id) where removed is null;
create index volumes_pool on volumes (pool_id, template_id);
create index vm_instance_host on vm_instance (host_id) where host_id is not null;
create index nics_network on nics (network_id) where removed is null;
