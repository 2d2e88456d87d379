-- The ledger. Amounts are integers of micro-units. What must never happen is refused here, not only in code.
create schema billing;
grant usage on schema billing to na_app, na_system;

create table billing.account (
  tenant_id uuid primary key,
  channel text not null check (channel in ('marketplace', 'direct')),
  currency char(3) not null default 'USD',
  license_arn text,
  aws_account text,
  product_code text,
  updated_at timestamptz not null default now()
);
call platform.tenant_table('billing.account', 'select', 'select, insert, update');

-- scope: the tenant the price was agreed with, or all zeroes for everyone.
create table billing.price_version (
  id uuid primary key,
  sku text not null,
  scope uuid not null default '00000000-0000-0000-0000-000000000000',
  currency char(3) not null,
  model text not null default 'per_unit' check (model = 'per_unit'),
  unit_micros bigint not null check (unit_micros >= 0),
  valid tstzrange not null check (not isempty(valid) and not lower_inf(valid)),
  unique (id, currency),
  exclude using gist (scope with =, sku with =, currency with =, model with =, valid with &&)
);
grant select on billing.price_version to na_app, na_system;
grant insert, update (valid) on billing.price_version to na_system;

-- A price is only ever ended, never edited; past prices stay as they were.
create function billing.price_version_guard() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' or to_jsonb(new) - 'valid' is distinct from to_jsonb(old) - 'valid' or lower(new.valid) is distinct from lower(old.valid)
     or not upper_inf(old.valid) or upper(new.valid) < now() then
    raise exception 'a price version is immutable; it can only be ended, and not in the past' using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger guard before update or delete on billing.price_version for each row execute function billing.price_version_guard();

create table billing.reservation (
  tenant_id uuid not null,
  id uuid not null,
  run_id uuid not null,
  component text not null check (component in ('run', 'device', 'minute')),
  quantity bigint not null check (quantity >= 0),
  amount_micros bigint not null check (amount_micros >= 0),
  currency char(3) not null,
  price_version_id uuid not null,
  channel text not null check (channel in ('marketplace', 'direct')),
  created_at timestamptz not null default now(),
  primary key (tenant_id, id),
  unique (tenant_id, run_id, component),
  unique (tenant_id, id, run_id, component, amount_micros, currency, price_version_id, channel),
  foreign key (price_version_id, currency) references billing.price_version (id, currency)
);
call platform.tenant_table('billing.reservation', 'select, insert', 'select');
call platform.append_only('billing.reservation');

-- Exactly one source: a settled reservation, a purchase or an adjustment.
create table billing.charge (
  tenant_id uuid not null,
  id uuid not null,
  reservation_id uuid,
  purchase_id uuid,
  adjustment_id uuid,
  sku text not null,
  description text not null,
  quantity bigint not null,
  amount_micros bigint not null check (amount_micros <> 0),
  currency char(3) not null,
  price_version_id uuid not null,
  channel text not null check (channel in ('marketplace', 'direct')),
  occurred_at timestamptz not null default now(),
  occurred_hour timestamptz not null generated always as (date_trunc('hour', occurred_at at time zone 'UTC') at time zone 'UTC') stored,
  primary key (tenant_id, id),
  check (num_nonnulls(reservation_id, purchase_id, adjustment_id) = 1),
  check (adjustment_id is not null or amount_micros > 0),
  unique (tenant_id, reservation_id),
  unique (tenant_id, purchase_id, sku, occurred_at),
  unique (tenant_id, adjustment_id),
  unique (tenant_id, id, reservation_id, amount_micros, currency, channel),
  unique (tenant_id, id, channel, currency, amount_micros),
  foreign key (price_version_id, currency) references billing.price_version (id, currency)
);
create index on billing.charge (tenant_id, occurred_at);
call platform.tenant_table('billing.charge', 'select, insert', 'select, insert');
call platform.append_only('billing.charge');

create table billing.settlement (
  tenant_id uuid not null,
  reservation_id uuid not null,
  run_id uuid not null,
  component text not null,
  kind text not null check (kind in ('post', 'void')),
  quantity bigint not null check (quantity >= 0),
  reserved_micros bigint not null,
  amount_micros bigint not null check (amount_micros between 0 and reserved_micros),
  currency char(3) not null,
  price_version_id uuid not null,
  channel text not null,
  charge_id uuid,
  settled_at timestamptz not null default now(),
  primary key (tenant_id, reservation_id),
  unique (tenant_id, run_id, component),
  check (kind = 'post' or (amount_micros = 0 and quantity = 0)),
  check ((charge_id is not null) = (kind = 'post' and amount_micros > 0)),
  foreign key (tenant_id, reservation_id, run_id, component, reserved_micros, currency, price_version_id, channel)
    references billing.reservation (tenant_id, id, run_id, component, amount_micros, currency, price_version_id, channel),
  foreign key (tenant_id, charge_id, reservation_id, amount_micros, currency, channel)
    references billing.charge (tenant_id, id, reservation_id, amount_micros, currency, channel) deferrable initially deferred
);
call platform.tenant_table('billing.settlement', 'select, insert', 'select');
call platform.append_only('billing.settlement');

-- A charge of a run exists only through the settlement that made it.
alter table billing.charge add foreign key (tenant_id, reservation_id) references billing.settlement (tenant_id, reservation_id)
  deferrable initially deferred;

create table billing.usage_event (
  tenant_id uuid not null,
  source text not null,
  event_id uuid not null,
  run_id uuid not null,
  meter text not null check (meter in ('run', 'device', 'minute')),
  device_id uuid,
  quantity bigint not null,
  block text not null,
  reverses uuid,
  occurred_at timestamptz not null default now(),
  primary key (tenant_id, source, event_id),
  unique (tenant_id, event_id),
  unique (tenant_id, reverses),
  check ((meter = 'device') = (device_id is not null)),
  check ((reverses is null and quantity > 0) or (reverses is not null and quantity < 0)),
  foreign key (tenant_id, reverses) references billing.usage_event (tenant_id, event_id)
);
create unique index usage_event_meaning on billing.usage_event
  (tenant_id, run_id, meter, coalesce(device_id, '00000000-0000-0000-0000-000000000000')) where reverses is null;
call platform.tenant_table('billing.usage_event', 'select, insert', 'select');
call platform.append_only('billing.usage_event');

-- One sealed number per licence, account, dimension and hour; retries send these bytes and no others.
create table billing.metering_record (
  tenant_id uuid not null,
  id uuid not null,
  license_arn text not null,
  aws_account text not null,
  dimension text not null,
  hour timestamptz not null check (hour = date_trunc('hour', hour at time zone 'UTC') at time zone 'UTC'),
  quantity bigint not null check (quantity between 0 and 2147483647),
  state text not null default 'sealed' check (state in ('sealed', 'accepted', 'parked')),
  aws_record_id text,
  primary key (tenant_id, id),
  unique (license_arn, aws_account, dimension, hour),
  check ((state = 'accepted') = (aws_record_id is not null))
);
create trigger frozen before update on billing.metering_record for each row
  execute function platform.frozen('tenant_id', 'id', 'license_arn', 'aws_account', 'dimension', 'hour', 'quantity');
call platform.tenant_table('billing.metering_record', 'select', 'select, insert, update');

create table billing.metering_allocation (
  tenant_id uuid not null,
  charge_id uuid not null,
  record_id uuid not null,
  channel text not null default 'marketplace' check (channel = 'marketplace'),
  currency char(3) not null,
  amount_micros bigint not null,
  primary key (tenant_id, charge_id),
  foreign key (tenant_id, charge_id, channel, currency, amount_micros) references billing.charge (tenant_id, id, channel, currency, amount_micros),
  foreign key (tenant_id, record_id) references billing.metering_record (tenant_id, id)
);
call platform.tenant_table('billing.metering_allocation', 'select', 'select, insert');
call platform.append_only('billing.metering_allocation');

create table billing.invoice (
  tenant_id uuid not null,
  id uuid not null,
  kind text not null check (kind in ('invoice', 'statement')),
  currency char(3) not null,
  period daterange not null check (not isempty(period)),
  state text not null default 'draft' check (state in ('draft', 'issued', 'void')),
  issued_at timestamptz,
  document jsonb,
  document_sha256 bytea,
  previous_sha256 bytea,
  primary key (tenant_id, id),
  unique (tenant_id, id, kind, currency),
  check ((state = 'draft') = (issued_at is null)),
  exclude using gist (tenant_id with =, kind with =, currency with =, period with &&) where (state <> 'void')
);
create function billing.invoice_guard() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' or old.state = 'void' or (old.state = 'issued' and (new.state <> 'void' or to_jsonb(new) - 'state' is distinct from to_jsonb(old) - 'state')) then
    raise exception 'an issued invoice never changes; it can only be voided' using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger guard before update or delete on billing.invoice for each row execute function billing.invoice_guard();
call platform.tenant_table('billing.invoice', 'select, insert', 'select, insert, update');

create table billing.invoice_line (
  tenant_id uuid not null,
  charge_id uuid not null,
  invoice_id uuid not null,
  kind text not null default 'invoice' check (kind = 'invoice'),
  channel text not null default 'direct' check (channel = 'direct'),
  currency char(3) not null,
  amount_micros bigint not null,
  primary key (tenant_id, charge_id),
  foreign key (tenant_id, charge_id, channel, currency, amount_micros) references billing.charge (tenant_id, id, channel, currency, amount_micros),
  foreign key (tenant_id, invoice_id, kind, currency) references billing.invoice (tenant_id, id, kind, currency)
);
create function billing.invoice_line_guard() returns trigger language plpgsql as $$
begin
  -- The share lock holds off an issue that would otherwise race with this line.
  if (select state from billing.invoice where tenant_id = new.tenant_id and id = new.invoice_id for share) is distinct from 'draft' then
    raise exception 'lines join a draft only' using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger guard before insert on billing.invoice_line for each row execute function billing.invoice_line_guard();
call platform.tenant_table('billing.invoice_line', 'select, insert', 'select, insert');
call platform.append_only('billing.invoice_line');
-- FOR SHARE needs UPDATE on one column of the invoice; the policy below lets the application role change none.
grant update (state) on billing.invoice to na_app;

create table billing.receipt_head (
  tenant_id uuid primary key,
  seq bigint not null,
  hash bytea not null
);
call platform.tenant_table('billing.receipt_head', 'select, insert, update', 'select');

create table billing.receipt (
  tenant_id uuid not null,
  seq bigint not null check (seq > 0),
  run_id uuid not null,
  device_id uuid not null,
  outcome text not null,
  block_digest text not null,
  input_hash text not null,
  diff_hash text,
  before_hash text,
  after_hash text,
  price_micros bigint not null check (price_micros >= 0),
  price_version_id uuid not null references billing.price_version (id),
  settled_at timestamptz not null,
  previous_hash bytea not null,
  hash bytea not null,
  primary key (tenant_id, seq),
  unique (tenant_id, run_id, device_id),
  unique (tenant_id, hash)
);
call platform.tenant_table('billing.receipt', 'select, insert', 'select');
call platform.append_only('billing.receipt');

create table billing.budget (
  tenant_id uuid primary key,
  monthly_micros bigint check (monthly_micros >= 0),
  version int not null default 1
);
call platform.tenant_table('billing.budget', 'select, insert, update', 'select');
