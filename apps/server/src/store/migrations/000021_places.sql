alter table data_center
  add column dns2 text,
  add column internal_dns2 text,
  add column sort_key integer not null default 0;

create unique index data_center_name on data_center (lower(name)) where removed is null;
create unique index host_pod_ref_name on host_pod_ref (data_center_id, lower(name)) where removed is null;
create unique index cluster_name on cluster (pod_id, lower(name)) where removed is null;

-- whoever deletes a place holds its row FOR UPDATE: what comes into it meanwhile waits, and then does not begin to exist
create function demand_living_place() returns trigger language plpgsql as $$
declare
  place jsonb := to_jsonb(new);
begin
  if place ->> 'data_center_id' is not null or place ->> 'zone_id' is not null then
    perform from data_center
      where id = coalesce(place ->> 'data_center_id', place ->> 'zone_id')::bigint and removed is null for key share;
    if not found then raise exception 'the zone is removed'; end if;
  end if;
  if place ->> 'pod_id' is not null then
    perform from host_pod_ref where id = (place ->> 'pod_id')::bigint and removed is null for key share;
    if not found then raise exception 'the pod is removed'; end if;
  end if;
  if place ->> 'cluster_id' is not null then
    perform from cluster where id = (place ->> 'cluster_id')::bigint and removed is null for key share;
    if not found then raise exception 'the cluster is removed'; end if;
  end if;
  return new;
end $$;
create trigger living_place before insert on host_pod_ref for each row execute function demand_living_place();
create trigger living_place before insert on cluster for each row execute function demand_living_place();
create trigger living_place before insert on host for each row execute function demand_living_place();
create trigger living_place before insert on storage_pool for each row execute function demand_living_place();
create trigger living_place before insert on networks for each row execute function demand_living_place();
create trigger living_place before insert on vm_instance for each row execute function demand_living_place();
create trigger living_place before insert on volumes for each row execute function demand_living_place();
create trigger living_place before insert on template_zone_ref for each row execute function demand_living_place();
