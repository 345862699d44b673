-- Certificates that image sources of a zone may be signed by: CloudStack's direct_download_certificate.
create table direct_download_certificate (
  id bigint generated always as identity primary key,
  uuid uuid not null unique,
  alias text not null,
  -- PEM
  certificate text not null,
  zone_id bigint not null references data_center,
  created timestamptz not null default now(),
  removed timestamptz
);
create unique index direct_download_certificate_alias on direct_download_certificate (zone_id, alias) where removed is null;
