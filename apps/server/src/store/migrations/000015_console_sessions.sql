-- Permissions to open the console of an instance once, within a short time. Named as in CloudStack; the token is kept as a
-- digest only.
create table console_session (
  id bigint generated always as identity primary key,
  uuid uuid not null unique,
  token_hash text not null unique,
  kind text not null,
  user_id bigint not null references "user" (id),
  account_id bigint not null references account (id),
  instance_id bigint not null references vm_instance (id),
  created timestamptz not null default now(),
  expires timestamptz not null,
  acquired timestamptz
);
create index console_session_expires on console_session (expires);
