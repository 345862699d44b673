-- A template whose image changes keeps its row; the image before goes, with its copies and the disks on them, to a row of
-- its own that is removed already. Files on pools are named after the image: null means the row's own uuid.
alter table vm_template
  add column image_uuid uuid,
  add column superseded_by bigint references vm_template,
  add column sort_key integer not null default 0;

-- accounts that a private template is shared with
create table launch_permission (
  template_id bigint not null references vm_template,
  account_id bigint not null references account,
  created timestamptz not null default now(),
  primary key (template_id, account_id)
);
create index launch_permission_account on launch_permission (account_id);

create table resource_tags (
  id bigint generated always as identity primary key,
  uuid uuid not null unique default gen_random_uuid(),
  key text not null,
  value text not null,
  resource_type text not null,
  resource_uuid uuid not null,
  -- the owner of the resource
  account_id bigint not null references account,
  created timestamptz not null default now(),
  unique (resource_uuid, key)
);
create index resource_tags_account on resource_tags (account_id);
create index resource_tags_text on resource_tags (key, value);

alter table disk_offering add column sort_key integer not null default 0;
