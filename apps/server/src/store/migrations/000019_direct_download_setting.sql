-- the setting has got a third value, auto, and the name that the documentation of clients uses
update configuration set name = 'template.direct.download.default' where name = 'direct.download.default';
