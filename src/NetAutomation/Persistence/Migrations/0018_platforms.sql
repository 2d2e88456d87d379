-- Platforms of devices. They belong to the provider, as blocks do.
create schema platforms;

create table platforms.platform_version (
  name text not null check (name ~ '^[a-z][a-z0-9]{1,30}$'),
  version text not null check (version = concat_ws('.', major, minor, patch)),
  major int not null check (major >= 0),
  minor int not null check (minor >= 0),
  patch int not null check (patch >= 0),
  digest text not null unique check (digest ~ '^sha256:[0-9a-f]{64}$'),
  title text not null,
  connection text not null,
  port int not null check (port between 1 and 65535),
  logins text[] not null check (cardinality(logins) > 0),
  guard text not null check (guard in ('hard', 'soft')),
  published_at timestamptz not null default now(),
  primary key (name, version)
);
create index on platforms.platform_version (name, major desc, minor desc, patch desc);
grant select on platforms.platform_version to na_app;
grant select, insert on platforms.platform_version to na_system;
call web.append_only('platforms.platform_version');
