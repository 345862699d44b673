-- an alert about what hosts have left is given once, and again only after the cluster had some meanwhile
alter table cluster add column low_memory_told boolean not null default false;
alter table cluster add column low_cpu_told boolean not null default false;
