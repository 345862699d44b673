-- addHost makes the host's row and a token that admits this very host.
alter table agent_join_token add column for_host_id bigint references host;
