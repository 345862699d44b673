-- Copies of templates that nobody uses go; what is known of their content stays.
alter table template_spool_ref
  -- when a job last asked for the copy, or a disk was seen on it
  add column last_used timestamptz not null default now(),
  -- why a copy that is marked goes
  add column removal_reason text,
  -- whether the digest was computed from the bytes, not believed of a metalink whose pieces were right
  add column digest_computed boolean not null default false;

-- The digests of what was committed of a template, in the order in which they were first seen.
create table template_content (
  template_id bigint not null references vm_template,
  version int not null,
  -- of the transferred bytes, {ALG}hex
  digest text not null,
  size_bytes bigint not null,
  recorded timestamptz not null default now(),
  primary key (template_id, version),
  unique (template_id, digest)
);
create index on template_spool_ref (pool_id, checksum);
