-- Orders and the rights they grant. Rights bought at AWS Marketplace by contract are AWS's to grant and to end, and nothing is charged for
-- them here.
create schema purchasing;

create table purchasing.purchase (
  tenant_id uuid not null,
  id uuid not null,
  block text not null references catalog.block (slug),
  major int not null,
  kind text not null check (kind in ('pay_per_use', 'rental', 'owned', 'contract')),
  months int check (months between 1 and 36),
  price_micros bigint not null check (price_micros >= 0),
  currency char(3) not null,
  price_version_id uuid references billing.price_version (id),
  -- A rental renews at most once, and its successor begins no earlier than it ends.
  renewal_of uuid,
  created_by uuid not null,
  created_at timestamptz not null default now(),
  primary key (tenant_id, id),
  unique (tenant_id, renewal_of),
  check ((kind = 'rental') = (months is not null)),
  check (renewal_of is null or kind = 'rental'),
  check (kind <> 'contract' or price_micros = 0)
);
call web.tenant_table('purchasing.purchase', 'select, insert', 'select, insert', append_only => true);

create table purchasing.entitlement (
  tenant_id uuid not null,
  id uuid not null,
  purchase_id uuid not null,
  block text not null references catalog.block (slug),
  major int not null,
  kind text not null check (kind in ('pay_per_use', 'rental', 'owned', 'contract')),
  starts_at timestamptz not null,
  ends_at timestamptz,
  -- A rental from the 31st ends on the 28th of February and on the 31st of March: terms are counted from here. Null: from its start.
  anchor_at timestamptz,
  auto_renew boolean not null default false,
  -- Why the last try to renew was refused: a problem code.
  renewal_refused text,
  version int not null default 1,
  primary key (tenant_id, id),
  unique (tenant_id, purchase_id),
  check (case kind when 'rental' then ends_at is not null when 'contract' then true else ends_at is null end),
  check (kind = 'rental' or not auto_renew),
  check (kind = 'rental' or renewal_refused is null),
  foreign key (tenant_id, purchase_id) references purchasing.purchase (tenant_id, id),
  -- One right of a kind per block and major version at a time: buying it twice is refused, not charged.
  exclude using gist (tenant_id with =, block with =, major with =, kind with =, tstzrange(starts_at, ends_at) with &&)
);
create index entitlement_renewal on purchasing.entitlement (ends_at) where auto_renew;
call web.tenant_table('purchasing.entitlement', 'select, insert, update', 'select, insert, update');
alter table purchasing.purchase add foreign key (tenant_id, renewal_of) references purchasing.entitlement (tenant_id, id);
