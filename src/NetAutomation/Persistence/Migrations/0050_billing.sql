-- The ledger. Amounts are integers of micro-units. What must never happen is refused here, not only in code.
create schema billing;
\ir ../Functions/billing.document_number.sql

-- The customer whose usage AWS meters: the licence of a product with concurrent agreements, otherwise the product; and the buyer's account.
create table billing.payer (
  tenant_id uuid not null references onboarding.tenant (tenant_id),
  id uuid not null,
  product_code text not null,
  license_arn text,
  aws_account text not null check (aws_account ~ '^[0-9]{12}$'),
  meter_key text not null generated always as (coalesce(license_arn, product_code)) stored,
  opened_at timestamptz not null default now(),
  -- The agreement ended: its last usage is reported without waiting for the end of the hour.
  closed_at timestamptz,
  -- AWS answered CustomerNotSubscribed.
  refused_at timestamptz,
  -- When AWS was last asked for the payer's contracts; null: to be asked soon.
  contracts_at timestamptz,
  primary key (tenant_id, id),
  unique (tenant_id, meter_key, aws_account),
  unique (tenant_id, id, meter_key, aws_account),
  -- A customer is metered by licence or by product code, never by both at once.
  exclude using gist (aws_account with =, product_code with =, ((license_arn is null)::int) with <>) where (closed_at is null)
);
create trigger frozen before update on billing.payer for each row
  execute function web.frozen('tenant_id', 'id', 'product_code', 'license_arn', 'aws_account', 'opened_at');
call web.tenant_table('billing.payer', 'select', 'select, insert, update');

create table billing.account (
  tenant_id uuid primary key references onboarding.tenant (tenant_id),
  channel text not null check (channel in ('marketplace', 'direct')),
  currency char(3) not null default 'USD',
  license_arn text,
  aws_account text,
  product_code text,
  payer_id uuid,
  -- A tenant that is suspended, or whose agreement ended, starts nothing that costs: not by request, not by schedule, not by renewal.
  stopped_at timestamptz,
  -- What the checks of the books found, and when they were made.
  parked_at timestamptz,
  parked_by text[],
  checked_at timestamptz,
  fully_checked_at timestamptz,
  updated_at timestamptz not null default now(),
  check (channel <> 'marketplace' or payer_id is not null),
  check ((parked_at is null) = (parked_by is null)),
  foreign key (tenant_id, payer_id) references billing.payer (tenant_id, id)
);
call web.tenant_table('billing.account', 'select', 'select, insert, update');

-- scope: the tenant the price was agreed with, or all zeroes for everyone. origin: a price of the block's manifest gives way to one the
-- staff made, until that one is ended.
create table billing.price_version (
  id uuid primary key,
  sku text not null,
  scope uuid not null default '00000000-0000-0000-0000-000000000000',
  currency char(3) not null,
  model text not null default 'per_unit' check (model = 'per_unit'),
  unit_micros bigint not null check (unit_micros >= 0),
  free_per_month bigint not null default 0 check (free_per_month >= 0),
  origin text not null default 'manifest' check (origin in ('manifest', 'operator')),
  valid tstzrange not null check (not isempty(valid) and not lower_inf(valid)),
  unique (id, currency),
  unique (id, currency, unit_micros),
  exclude using gist (scope with =, sku with =, currency with =, model with =, valid with &&)
);
create index on billing.price_version (sku text_pattern_ops);
grant select on billing.price_version to na_app, na_system;
grant insert, update (valid) on billing.price_version to na_system;
-- A price is only ever ended, never edited; past prices stay as they were. A range that was already ended stays so, and none that is in
-- force is ended in the past.
create trigger change before update on billing.price_version for each row
  when (to_jsonb(new) - 'valid' is distinct from to_jsonb(old) - 'valid' or lower(new.valid) is distinct from lower(old.valid)
    or not upper_inf(old.valid) or upper_inf(new.valid) or upper(new.valid) < now())
  execute function web.refuse_change('a price version is immutable; it can only be ended, and not in the past');
create trigger remove before delete on billing.price_version for each row
  execute function web.refuse_change('a price version is immutable; it can only be ended, and not in the past');

create table billing.reservation (
  tenant_id uuid not null references billing.account (tenant_id),
  id uuid not null,
  run_id uuid not null,
  component text not null check (component in ('run', 'device', 'minute')),
  quantity bigint not null check (quantity >= 0),
  free_quantity bigint not null default 0,
  unit_micros bigint not null,
  amount_micros bigint not null check (amount_micros >= 0),
  currency char(3) not null,
  price_version_id uuid not null,
  channel text not null check (channel in ('marketplace', 'direct')),
  created_at timestamptz not null default now(),
  primary key (tenant_id, id),
  unique (tenant_id, run_id, component),
  unique (tenant_id, id, run_id, component, quantity, free_quantity, unit_micros, amount_micros, currency, price_version_id, channel),
  check (free_quantity between 0 and quantity),
  check (amount_micros = (quantity - free_quantity) * unit_micros),
  foreign key (price_version_id, currency) references billing.price_version (id, currency),
  foreign key (price_version_id, currency, unit_micros) references billing.price_version (id, currency, unit_micros)
);
call web.tenant_table('billing.reservation', 'select, insert', 'select', append_only => true);

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
  price_version_id uuid,
  channel text not null check (channel in ('marketplace', 'direct')),
  -- Kept as it was when the charge was written, so an agreement that is replaced does not move old usage to the new one.
  payer_id uuid,
  occurred_at timestamptz not null default now(),
  occurred_hour timestamptz not null generated always as (date_trunc('hour', occurred_at at time zone 'UTC') at time zone 'UTC') stored,
  primary key (tenant_id, id),
  check (num_nonnulls(reservation_id, purchase_id, adjustment_id) = 1),
  check (adjustment_id is not null or amount_micros > 0),
  check ((channel = 'marketplace') = (payer_id is not null)),
  -- A credit or debit has no price; everything else has one.
  check (price_version_id is not null or adjustment_id is not null),
  unique (tenant_id, reservation_id),
  unique (tenant_id, purchase_id, sku, occurred_at),
  unique (tenant_id, adjustment_id),
  unique (tenant_id, id, reservation_id, amount_micros, currency, channel),
  unique (tenant_id, id, channel, currency, amount_micros),
  foreign key (price_version_id, currency) references billing.price_version (id, currency)
);
create index on billing.charge (tenant_id, occurred_at);
call web.tenant_table('billing.charge', 'select, insert', 'select, insert', append_only => true);

-- Every number of a settlement is either copied from its reservation or checked against it.
create table billing.settlement (
  tenant_id uuid not null,
  reservation_id uuid not null,
  run_id uuid not null,
  component text not null,
  kind text not null check (kind in ('post', 'void')),
  quantity bigint not null check (quantity >= 0),
  free_quantity bigint not null default 0,
  reserved_quantity bigint not null,
  reserved_free bigint not null default 0,
  unit_micros bigint not null,
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
  check (quantity <= reserved_quantity),
  check (free_quantity = least(quantity, reserved_free)),
  check (amount_micros = (quantity - free_quantity) * unit_micros),
  constraint settlement_reservation foreign key
    (tenant_id, reservation_id, run_id, component, reserved_quantity, reserved_free, unit_micros, reserved_micros, currency,
     price_version_id, channel)
    references billing.reservation
    (tenant_id, id, run_id, component, quantity, free_quantity, unit_micros, amount_micros, currency, price_version_id, channel),
  foreign key (tenant_id, charge_id, reservation_id, amount_micros, currency, channel)
    references billing.charge (tenant_id, id, reservation_id, amount_micros, currency, channel) deferrable initially deferred
);
call web.tenant_table('billing.settlement', 'select, insert', 'select', append_only => true);

-- A charge of a run exists only through the settlement that made it.
alter table billing.charge add foreign key (tenant_id, reservation_id) references billing.settlement (tenant_id, reservation_id)
  deferrable initially deferred;

-- The free part of a month (UTC): held by reservations, used by settlements, never more than granted. Only their triggers write it.
create table billing.free_allowance (
  tenant_id uuid not null,
  sku text not null,
  month date not null check (extract(day from month) = 1),
  granted bigint not null,
  held bigint not null default 0 check (held >= 0),
  used bigint not null default 0 check (used >= 0),
  primary key (tenant_id, sku, month),
  check (held + used <= granted)
);
call web.tenant_table('billing.free_allowance', 'select, insert, update', 'select');
create trigger change before insert or update on billing.free_allowance for each row when (pg_trigger_depth() = 0)
  execute function web.refuse_change('the free allowance follows reservations and settlements');
create trigger remove before delete on billing.free_allowance for each row
  execute function web.refuse_change('the free allowance follows reservations and settlements');

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
create index usage_event_page on billing.usage_event (tenant_id, run_id, event_id);
create index on billing.usage_event (tenant_id, occurred_at);
call web.tenant_table('billing.usage_event', 'select, insert', 'select, insert', append_only => true);

-- Charges that no record holds yet: written with the charge, deleted with its allocation, and in no other way.
create table billing.metering_backlog (
  tenant_id uuid not null,
  payer_id uuid not null,
  occurred_hour timestamptz not null,
  charge_id uuid not null,
  primary key (tenant_id, payer_id, occurred_hour, charge_id)
);
call web.tenant_table('billing.metering_backlog', 'insert', 'select, insert, delete');
create trigger write before insert on billing.metering_backlog for each row when (pg_trigger_depth() = 0)
  execute function web.refuse_change('the backlog is written with the charge');
create trigger change before update on billing.metering_backlog for each row
  execute function web.refuse_change('the backlog is not changed');
-- The oldest hour that waits, over all payers.
create index on billing.metering_backlog (occurred_hour);

-- One sealed number per payer, dimension and hour. The records of a payer are a chain: each carries what is less than a unit, or below
-- zero, to the next, so that rounding loses nothing and credits consume later usage.
create table billing.metering_record (
  tenant_id uuid not null,
  id uuid not null,
  payer_id uuid not null,
  meter_key text not null,
  aws_account text not null,
  dimension text not null,
  hour timestamptz not null check (hour = date_trunc('hour', hour at time zone 'UTC') at time zone 'UTC'),
  seq bigint not null check (seq > 0),
  previous_seq bigint generated always as (nullif(seq - 1, 0)) stored,
  previous_hour timestamptz check (previous_hour < hour),
  unit_micros bigint not null check (unit_micros between 1 and 1000000000),
  sum_micros bigint not null,
  carry_in_micros bigint not null,
  carry_out_micros bigint not null,
  quantity bigint not null check (quantity between 0 and 2147483647),
  reported_micros bigint not null generated always as (quantity * unit_micros) stored,
  -- UsageAllocations as they are sent; null for none.
  allocations text,
  state text not null default 'sealed' check (state in ('sealed', 'accepted', 'parked', 'carried')),
  aws_record_id text,
  error_code text,
  -- Earliest next attempt; while a process sends it, the time at which that process is presumed dead.
  due_at timestamptz not null default now(),
  sealed_at timestamptz not null default now(),
  reported_at timestamptz,
  primary key (tenant_id, id),
  -- The key by which AWS tells records apart.
  unique (meter_key, aws_account, dimension, hour),
  unique (tenant_id, payer_id, seq),
  unique (tenant_id, payer_id, seq, hour, carry_out_micros),
  unique (tenant_id, id, payer_id, reported_micros),
  check ((seq = 1) = (previous_hour is null)),
  check (seq > 1 or carry_in_micros = 0),
  check (sum_micros + carry_in_micros = quantity * unit_micros + carry_out_micros),
  check (carry_out_micros >= 0 or quantity = 0),
  check (carry_out_micros < unit_micros or quantity = 2147483647),
  check ((state = 'accepted') = (aws_record_id is not null)),
  check (state <> 'parked' or error_code is not null),
  foreign key (tenant_id, payer_id, meter_key, aws_account) references billing.payer (tenant_id, id, meter_key, aws_account),
  foreign key (tenant_id, payer_id, previous_seq, previous_hour, carry_in_micros)
    references billing.metering_record (tenant_id, payer_id, seq, hour, carry_out_micros)
);
create index on billing.metering_record (hour) where state = 'sealed';
create index on billing.metering_record (id);
call web.tenant_table(
  'billing.metering_record', 'select', 'select, insert, update (state, aws_record_id, error_code, due_at, reported_at)');

create table billing.metering_allocation (
  tenant_id uuid not null,
  charge_id uuid not null,
  record_id uuid not null,
  channel text not null default 'marketplace' check (channel = 'marketplace'),
  currency char(3) not null,
  amount_micros bigint not null,
  primary key (tenant_id, charge_id),
  foreign key (tenant_id, charge_id, channel, currency, amount_micros)
    references billing.charge (tenant_id, id, channel, currency, amount_micros),
  foreign key (tenant_id, record_id) references billing.metering_record (tenant_id, id)
);
create index on billing.metering_allocation (tenant_id, record_id);
call web.tenant_table('billing.metering_allocation', 'select', 'select, insert', append_only => true);

-- Written and committed before each call. The outcomes null and unknown mean that AWS may hold the record; duplicate, that it holds a
-- record of this hour; absent, that a person made sure that it does not hold this one.
create table billing.metering_attempt (
  tenant_id uuid not null,
  record_id uuid not null,
  number int not null check (number > 0),
  worker text not null,
  at timestamptz not null default clock_timestamp(),
  outcome text check (outcome in ('accepted', 'duplicate', 'not_subscribed', 'unprocessed', 'refused', 'unknown', 'absent')),
  code text,
  ended_at timestamptz,
  primary key (tenant_id, record_id, number),
  foreign key (tenant_id, record_id) references billing.metering_record (tenant_id, id)
);
call web.tenant_table('billing.metering_attempt', 'select', 'select, insert, update (outcome, code, ended_at)');

-- The amount that a parked record could not report, added once to the sum of a later record.
create table billing.metering_carry (
  tenant_id uuid not null,
  record_id uuid not null,
  payer_id uuid not null,
  amount_micros bigint not null,
  approved_by text not null,
  reason text not null,
  at timestamptz not null default now(),
  into_record_id uuid check (into_record_id <> record_id),
  primary key (tenant_id, record_id),
  foreign key (tenant_id, record_id, payer_id, amount_micros) references billing.metering_record (tenant_id, id, payer_id, reported_micros),
  foreign key (tenant_id, into_record_id) references billing.metering_record (tenant_id, id)
);
create index on billing.metering_carry (tenant_id, into_record_id);
call web.tenant_table('billing.metering_carry', 'select', 'select, insert, update (into_record_id)');

-- The level that was last logged for usage that waits to be reported, so that all processes together log a change once.
create table billing.metering_watch (
  one boolean primary key default true check (one),
  level text not null default 'ok' check (level in ('ok', 'warning', 'error')),
  changed_at timestamptz not null default now()
);
insert into billing.metering_watch default values;
grant select, update on billing.metering_watch to na_system;

-- Issued documents: numbered without gaps, each naming the hash of the one before, both by foreign key. The text is the document; the
-- columns beside it are there to be checked and searched.
create table billing.invoice (
  tenant_id uuid not null,
  id uuid not null,
  kind text not null check (kind in ('invoice', 'statement')),
  currency char(3) not null,
  period daterange not null check (not isempty(period)),
  state text not null default 'draft' check (state in ('draft', 'issued', 'void')),
  live boolean generated always as (state <> 'void') stored,
  revision int not null default 1 check (revision > 0),
  replaces uuid,
  seq int check (seq > 0),
  previous_seq int generated always as (nullif(seq - 1, 0)) stored,
  number text generated always as (billing.document_number(case kind when 'invoice' then 'INV' else 'STM' end, issued_at, seq)) stored,
  issued_at timestamptz,
  due_at timestamptz,
  exact_micros bigint,
  rounding_micros bigint,
  total_micros bigint,
  document text,
  document_sha256 bytea,
  previous_sha256 bytea,
  voided_at timestamptz,
  voided_by text,
  void_reason text check (length(void_reason) between 1 and 500),
  primary key (tenant_id, id),
  unique (tenant_id, id, kind, currency, live),
  unique (tenant_id, kind, seq),
  unique (tenant_id, kind, seq, document_sha256),
  unique (tenant_id, replaces),
  unique (tenant_id, kind, currency, period, revision),
  check ((state = 'draft') = (issued_at is null)),
  check (num_nonnulls(seq, document, document_sha256, previous_sha256, exact_micros, rounding_micros, total_micros)
         = case state when 'draft' then 0 else 7 end),
  check (total_micros = exact_micros + rounding_micros),
  check (kind = 'invoice' or rounding_micros = 0),
  check (kind = 'statement' or total_micros % 10000 = 0),
  check ((due_at is not null) = (state <> 'draft' and kind = 'invoice')),
  -- A month is closed when it is over: until then its draft takes charges.
  check (issued_at >= (upper(period)::timestamp at time zone 'UTC')),
  check (num_nonnulls(voided_at, voided_by, void_reason) = case state when 'void' then 3 else 0 end),
  check (state <> 'void' or kind = 'invoice'),
  check (seq <> 1 or previous_sha256 = decode(repeat('00', 32), 'hex')),
  check (document_sha256 = sha256(convert_to(document, 'UTF8'))),
  check ((revision = 1) = (replaces is null)),
  exclude using gist (tenant_id with =, kind with =, currency with =, period with &&) where (state <> 'void'),
  foreign key (tenant_id, kind, previous_seq, previous_sha256) references billing.invoice (tenant_id, kind, seq, document_sha256),
  foreign key (tenant_id, replaces) references billing.invoice (tenant_id, id)
);
create index invoice_due on billing.invoice (tenant_id, due_at) where state = 'issued' and kind = 'invoice';
create index invoice_draft on billing.invoice (upper(period)) where state = 'draft';
-- FOR SHARE needs UPDATE on one column of the invoice; the guard lets the application role change none.
call web.tenant_table(
  'billing.invoice', 'select, insert (tenant_id, id, kind, currency, period), update (state)', 'select, insert, update');
create trigger begin before insert on billing.invoice for each row when (new.state <> 'draft')
  execute function web.refuse_change('an invoice begins as a draft');

-- A charge stands on one live invoice at a time. Voiding an invoice releases its lines through the foreign key, and nothing else does.
create table billing.invoice_line (
  tenant_id uuid not null,
  charge_id uuid not null,
  invoice_id uuid not null,
  kind text not null default 'invoice' check (kind = 'invoice'),
  channel text not null default 'direct' check (channel = 'direct'),
  currency char(3) not null,
  amount_micros bigint not null,
  live boolean not null default true,
  primary key (tenant_id, charge_id, invoice_id),
  foreign key (tenant_id, charge_id, channel, currency, amount_micros)
    references billing.charge (tenant_id, id, channel, currency, amount_micros),
  foreign key (tenant_id, invoice_id, kind, currency, live)
    references billing.invoice (tenant_id, id, kind, currency, live) on update cascade
);
create unique index invoice_line_once on billing.invoice_line (tenant_id, charge_id) where live;
create index on billing.invoice_line (tenant_id, invoice_id);
call web.tenant_table('billing.invoice_line', 'select, insert', 'select, insert');
create trigger append_only_truncate before truncate on billing.invoice_line for each statement execute function web.refuse_change();
create trigger change before update on billing.invoice_line for each row
  when (new.live or not old.live or to_jsonb(new) - 'live' is distinct from to_jsonb(old) - 'live')
  execute function web.refuse_change('a line is only ever released, by voiding its invoice');
create trigger remove before delete on billing.invoice_line for each row
  execute function web.refuse_change('a line is only ever released, by voiding its invoice');

create table billing.payment (
  tenant_id uuid not null,
  id uuid not null,
  invoice_id uuid not null,
  amount_micros bigint not null check (amount_micros > 0),
  currency char(3) not null,
  reference text not null check (length(reference) between 1 and 100),
  recorded_by text not null,
  recorded_at timestamptz not null default now(),
  primary key (tenant_id, id),
  unique (tenant_id, invoice_id, reference),
  foreign key (tenant_id, invoice_id) references billing.invoice (tenant_id, id)
);
call web.tenant_table('billing.payment', 'select', 'select, insert', append_only => true);

-- A correction: the exact opposite of one charge, or an amount. It makes exactly one charge, and that charge exists only through it.
create table billing.adjustment (
  tenant_id uuid not null references billing.account (tenant_id),
  id uuid not null,
  kind text not null check (kind in ('reversal', 'credit', 'debit')),
  document text not null check (length(document) between 1 and 100),
  amount_micros bigint not null check (amount_micros <> 0),
  currency char(3) not null,
  channel text not null,
  reverses uuid,
  reverses_channel text,
  reversed_micros bigint generated always as (case when kind = 'reversal' then -amount_micros end) stored,
  -- The issued invoice that the reversed charge stands on, and the number of the credit note that says so.
  credits uuid,
  credit_note int check (credit_note > 0),
  credit_note_before int generated always as (nullif(credit_note - 1, 0)) stored,
  credit_note_number text generated always as (billing.document_number('CN', created_at, credit_note)) stored,
  reason text not null check (length(reason) between 1 and 500),
  approved_by text not null check (length(approved_by) > 0),
  charge_id uuid not null,
  created_at timestamptz not null default now(),
  primary key (tenant_id, id),
  unique (tenant_id, document),
  unique (tenant_id, reverses),
  unique (tenant_id, credit_note),
  unique (tenant_id, id, charge_id, amount_micros, currency, channel),
  check ((amount_micros > 0) = (kind = 'debit')),
  check (num_nonnulls(reverses, reverses_channel) = case kind when 'reversal' then 2 else 0 end),
  check (num_nonnulls(credits, credit_note) in (0, 2)),
  check (credits is null or kind = 'reversal'),
  foreign key (tenant_id, reverses, reverses_channel, currency, reversed_micros)
    references billing.charge (tenant_id, id, channel, currency, amount_micros),
  foreign key (tenant_id, charge_id, channel, currency, amount_micros)
    references billing.charge (tenant_id, id, channel, currency, amount_micros) deferrable initially deferred,
  foreign key (tenant_id, credits) references billing.invoice (tenant_id, id),
  foreign key (tenant_id, credit_note_before) references billing.adjustment (tenant_id, credit_note)
);
create index on billing.adjustment (id);
alter table billing.charge add foreign key (tenant_id, adjustment_id, id, amount_micros, currency, channel)
  references billing.adjustment (tenant_id, id, charge_id, amount_micros, currency, channel);
call web.tenant_table('billing.adjustment', 'select', 'select, insert', append_only => true);

create table billing.receipt_head (
  tenant_id uuid primary key,
  seq bigint not null,
  hash bytea not null
);
call web.tenant_table('billing.receipt_head', 'select, insert, update', 'select');

create table billing.receipt (
  tenant_id uuid not null,
  seq bigint not null check (seq > 0),
  run_id uuid not null,
  device_id uuid not null,
  outcome text not null,
  block_digest text not null,
  platform_digest text,
  engine_version text,
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
call web.tenant_table('billing.receipt', 'select, insert', 'select', append_only => true);

create table billing.budget (
  tenant_id uuid primary key,
  monthly_micros bigint check (monthly_micros >= 0),
  version int not null default 1
);
call web.tenant_table('billing.budget', 'select, insert, update', 'select');

-- Whether the books add up. Every check is a query that returns no row; a row parks the tenant's invoicing, while its runs go on.
-- What the keys of the tables make impossible is checked all the same: a restore, a repair by hand or a dropped key is no write of ours.
create table billing.finding (
  tenant_id uuid not null references billing.account (tenant_id),
  check_name text not null,
  subject text not null,
  detail text not null,
  found_at timestamptz not null default now(),
  primary key (tenant_id, check_name, subject)
);
call web.tenant_table('billing.finding', '', 'select, insert, delete');

-- The charges of runs and their reversals, split by device where the receipts of the run add up to the charge. The sum of the receipts is
-- computed once for a charge, not once for each of its devices.
create view billing.charge_part with (security_invoker = true) as
select c.tenant_id, c.id as charge_id, c.occurred_at, s.run_id, s.component, d.device_id,
  case when d.device_id is null then c.quantity else sign(c.quantity)::bigint end as quantity,
  case when d.device_id is null then c.amount_micros else sign(c.amount_micros)::bigint * d.price_micros end as amount_micros
from billing.charge c
  left join billing.adjustment a on a.tenant_id = c.tenant_id and a.id = c.adjustment_id
  left join billing.charge o on o.tenant_id = a.tenant_id and o.id = a.reverses
  left join billing.settlement s on s.tenant_id = c.tenant_id and s.reservation_id = coalesce(c.reservation_id, o.reservation_id)
  left join lateral (
    select sum(t.price_micros) as amount from billing.receipt t
    where s.component = 'device' and t.tenant_id = c.tenant_id and t.run_id = s.run_id offset 0) t on true
  left join billing.receipt d
    on d.tenant_id = c.tenant_id and d.run_id = s.run_id and d.price_micros > 0 and t.amount = abs(c.amount_micros);
grant select on billing.charge_part to na_app, na_system;
