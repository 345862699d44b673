-- An image store is a place for images like a storage pool, but no instance runs there: see decision 16. Whoever asks for
-- storage pools sees these alone. A later column of data_store that pools need has to be put into the view, too.
alter table storage_pool rename to data_store;
alter table data_store
  add column role text not null default 'Primary' check (role in ('Primary', 'Image')),
  -- of an image store, as the API names it, and its URL
  add column provider text,
  add column url text,
  add column read_only boolean not null default false;
create view storage_pool as
  select id, uuid, name, pool_type, scope, path, host_address, data_center_id, pod_id, cluster_id, capacity_bytes, used_bytes,
    status, tags, created, removed, mount_options, port, rbd_user, rbd_secret, low_space_told
  from data_store where role = 'Primary' with cascaded check option;

alter table host add column image_host_url text, add column image_public_url text;
alter table template_spool_ref add column file_digest text, add column checked timestamptz;

-- servers hear of it by the name that they know
create or replace function notice_change() returns trigger language plpgsql as $$
declare
  changed text := case tg_table_name when 'data_store' then 'storage_pool' else tg_table_name end;
begin
  if tg_op = 'DELETE' then
    perform pg_notify('millrace_changed', changed || ' ' || coalesce(to_jsonb(old) ->> 'account_id', ''));
  else
    perform pg_notify('millrace_changed', changed || ' ' || coalesce(to_jsonb(new) ->> 'account_id', ''));
  end if;
  return null;
end $$;
