-- The one CA of all servers of this database. Who may read this table may issue certificates for hosts and servers.
create table certificate_authority (
  id int primary key default 1 check (id = 1),
  certificate text not null,
  private_key text not null,
  created timestamptz not null default now()
);
