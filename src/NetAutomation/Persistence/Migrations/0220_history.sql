-- Configurations of devices, as runs have read them. Texts are sealed; what stands beside them says nothing about their content.
create schema history;
grant usage on schema history to na_app, na_system;

-- The text that was added last is whole. Every earlier one is kept as what takes the next one back to it.
create table history.device (
  tenant_id uuid not null,
  device_id uuid not null,
  -- Every platform that the device had when it was read: all of them say what is secret.
  platforms text[] not null,
  tenant_key_version int not null,
  -- The text that was seen last, which may be an earlier one, and its keyed digest.
  newest int not null,
  digest uuid not null,
  -- How many texts there were; those up to "packed" are in packs.
  last int not null check (last > 0),
  packed int not null default 0 check (packed between 0 and last),
  whole bytea not null,
  looked_at timestamptz not null default now(),
  primary key (tenant_id, device_id),
  foreign key (tenant_id, device_id) references inventory.device on delete cascade,
  foreign key (tenant_id, tenant_key_version) references inventory.tenant_key
);
alter table history.device alter column whole set storage external;
call web.tenant_table('history.device', 'select, insert, update', 'select, delete');

create table history.version (
  tenant_id uuid not null,
  device_id uuid not null,
  version int not null check (version > 0),
  digest uuid not null,
  delta bytea not null,
  primary key (tenant_id, device_id, version),
  foreign key (tenant_id, device_id) references history.device on delete cascade
);
call web.tenant_table('history.version', 'select, insert, delete', 'select, delete');

-- Many versions in one box: the last one whole, and each earlier one as a difference to the one after it.
create table history.pack (
  tenant_id uuid not null,
  device_id uuid not null,
  last int not null,
  versions int[] not null,
  digests uuid[] not null check (cardinality(digests) = cardinality(versions)),
  box bytea not null,
  primary key (tenant_id, device_id, last),
  foreign key (tenant_id, device_id) references history.device on delete cascade
);
alter table history.pack alter column box set storage external;
call web.tenant_table('history.pack', 'select, insert, delete', 'select, delete');

-- When a text was seen: the time is that of the id.
create table history.config (
  tenant_id uuid not null,
  device_id uuid not null,
  id uuid not null,
  run_id uuid not null,
  version int not null,
  added int not null,
  removed int not null,
  kind text not null check (kind in ('backup', 'before', 'after')),
  primary key (tenant_id, device_id, id),
  foreign key (tenant_id, device_id) references history.device on delete cascade
);
call web.tenant_table('history.config', 'select, insert, delete', 'select, delete');

-- How long a tenant keeps them, where it is not as usual.
create table history.retention (
  tenant_id uuid primary key,
  days int not null check (days between 1 and 3650),
  configs int not null check (configs between 1 and 10000),
  version int not null,
  changed_at timestamptz not null default now()
);
call web.tenant_table('history.retention', 'select, insert, update', 'select, delete');
