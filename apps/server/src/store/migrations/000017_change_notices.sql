-- Tells every server which table has changed, and whose row it was (empty: nobody's): `vm_instance 12`. PostgreSQL sends one
-- notice for many equal ones of a transaction, and only when it commits.
create function notice_change() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' then
    perform pg_notify('millrace_changed', tg_table_name || ' ' || coalesce(to_jsonb(old) ->> 'account_id', ''));
  else
    perform pg_notify('millrace_changed', tg_table_name || ' ' || coalesce(to_jsonb(new) ->> 'account_id', ''));
  end if;
  return null;
end $$;

create trigger notice_change after insert or update or delete on vm_instance for each row execute function notice_change();
create trigger notice_change after insert or update or delete on async_job for each row execute function notice_change();
create trigger notice_change after insert or update or delete on volumes for each row execute function notice_change();
create trigger notice_change after insert or update or delete on vm_template for each row execute function notice_change();
create trigger notice_change after insert or delete on event for each row execute function notice_change();
create trigger notice_change after insert or update or delete on template_spool_ref for each row execute function notice_change();
create trigger notice_change after insert or delete on storage_pool for each row execute function notice_change();
-- heartbeats change a host every few seconds: what they measure is no news
create trigger notice_change after update on host for each row
  when (old.status is distinct from new.status or old.resource_state is distinct from new.resource_state
    or old.name is distinct from new.name or old.removed is distinct from new.removed)
  execute function notice_change();
create trigger notice_insert after insert on host for each row execute function notice_change();
