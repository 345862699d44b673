-- A MAC address can be asked for, so one whose instance is gone must be free again.
alter table nics drop constraint nics_mac_address_key;
create unique index nics_live_mac_address on nics (mac_address) where removed is null;
