-- What the API's lists and look-ups search by.
create index async_job_instance on async_job (instance_uuid, id);
create index async_job_account on async_job (account_id, id);
create index event_account on event (account_id, id);
create index event_resource on event (resource_uuid);
create index event_job on event (job_uuid);
create index vm_instance_account on vm_instance (account_id);
create index vm_instance_template on vm_instance (vm_template_id);
create index vm_template_account on vm_template (account_id);
create index nics_instance on nics (instance_id);
create index volumes_instance on volumes (instance_id);
create index user_session_user on user_session (user_id);
create index user_session_last_used on user_session (last_used);
-- Registration of two users of one name in one domain is refused by the code; the login look-up is by name.
create index user_username on "user" (username);
