-- where the call came from that an event tells of; nothing for what servers do by themselves
alter table event add column client_address text;

-- one row is an event and, by its type, an alert: each list has an end of its own
alter table event add column event_state text not null default 'shown'
  check (event_state in ('shown', 'archived', 'deleted'));
alter table event add column alert_state text not null default 'shown'
  check (alert_state in ('shown', 'archived', 'deleted'));
