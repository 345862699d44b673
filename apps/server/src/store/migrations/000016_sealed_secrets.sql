-- The first server seals a text here; a later one whose key file does not open it does not start.
create table sealing_check (
  id smallint primary key default 1 check (id = 1),
  text text not null
);
