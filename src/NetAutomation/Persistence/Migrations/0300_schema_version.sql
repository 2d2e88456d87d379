-- The newest version of the service that has migrated, and the oldest that may run with what it made. One row.
create table web.schema_version (
  one boolean primary key default true check (one),
  version int[] not null,
  oldest int[] not null
);
grant select on web.schema_version to na_app, na_system;
insert into web.schema_version (version, oldest) values ('{0,0,0}', '{0,0,0}');
