-- Orders and the rights they grant.
create schema purchasing;
grant usage on schema purchasing to na_app, na_system;

create table purchasing.purchase (
  tenant_id uuid not null,
  id uuid not null,
  block text not null references catalog.block (slug),
  major int not null,
  kind text not null check (kind in ('pay_per_use', 'rental', 'owned')),
  months int check (months between 1 and 36),
  price_micros bigint not null check (price_micros >= 0),
  currency char(3) not null,
  price_version_id uuid references billing.price_version (id),
  created_by uuid not null,
  created_at timestamptz not null default now(),
  primary key (tenant_id, id),
  check ((kind = 'rental') = (months is not null))
);
call platform.tenant_table('purchasing.purchase', 'select, insert', 'select');
call platform.append_only('purchasing.purchase');

create table purchasing.entitlement (
  tenant_id uuid not null,
  id uuid not null,
  purchase_id uuid not null,
  block text not null references catalog.block (slug),
  major int not null,
  kind text not null check (kind in ('pay_per_use', 'rental', 'owned')),
  starts_at timestamptz not null,
  ends_at timestamptz,
  auto_renew boolean not null default false,
  version int not null default 1,
  primary key (tenant_id, id),
  unique (tenant_id, purchase_id),
  check ((kind = 'rental') = (ends_at is not null)),
  check (kind = 'rental' or not auto_renew),
  foreign key (tenant_id, purchase_id) references purchasing.purchase (tenant_id, id),
  -- One right of a kind per block and major version at a time: buying it twice is refused, not charged.
  exclude using gist (tenant_id with =, block with =, major with =, kind with =, tstzrange(starts_at, ends_at) with &&)
);
call platform.tenant_table('purchasing.entitlement', 'select, insert, update', 'select, update');

alter table billing.charge add foreign key (tenant_id, purchase_id) references purchasing.purchase (tenant_id, id) deferrable initially deferred;
