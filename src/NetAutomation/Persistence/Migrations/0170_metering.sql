-- Metering at AWS Marketplace: what is reported is what was settled, whatever dies on the way. Nothing was ever written to the two tables
-- that 0050 made for it; they are made anew.
drop table billing.metering_allocation;
drop table billing.metering_record;

-- Whom usage is metered to: a licence of a product with concurrent agreements, else the product itself, and the buyer's account.
create table billing.payer (
  tenant_id uuid not null references onboarding.tenant (tenant_id),
  id uuid not null,
  product_code text not null,
  license_arn text,
  aws_account text not null check (aws_account ~ '^[0-9]{12}$'),
  meter_key text not null generated always as (coalesce(license_arn, product_code)) stored,
  opened_at timestamptz not null default now(),
  -- The agreement ended: what is still to come is reported without waiting for the hour to close.
  closed_at timestamptz,
  -- AWS answered CustomerNotSubscribed.
  refused_at timestamptz,
  primary key (tenant_id, id),
  unique (tenant_id, meter_key, aws_account),
  unique (tenant_id, id, meter_key, aws_account),
  -- A customer is metered by licence or by product code, never by both at once.
  exclude using gist (aws_account with =, product_code with =, ((license_arn is null)::int) with <>) where (closed_at is null)
);
create trigger frozen before update on billing.payer for each row
  execute function platform.frozen('tenant_id', 'id', 'product_code', 'license_arn', 'aws_account', 'opened_at');
call platform.tenant_table('billing.payer', 'select', 'select, insert, update');

alter table billing.account no force row level security;
alter table billing.payer no force row level security;
alter table billing.charge no force row level security;
insert into billing.payer (tenant_id, id, product_code, license_arn, aws_account)
select tenant_id, gen_random_uuid(), product_code, license_arn, aws_account from billing.account where aws_account is not null and product_code is not null;

alter table billing.account add payer_id uuid, add foreign key (tenant_id, payer_id) references billing.payer (tenant_id, id);
update billing.account a set payer_id = p.id from billing.payer p where p.tenant_id = a.tenant_id;
alter table billing.account add check (channel <> 'marketplace' or payer_id is not null);

-- A charge keeps the payer it was written for, so an agreement that is replaced does not move old usage to the new one.
alter table billing.charge add payer_id uuid;
alter table billing.charge disable trigger append_only;
update billing.charge c set payer_id = a.payer_id from billing.account a where a.tenant_id = c.tenant_id and c.channel = 'marketplace';
alter table billing.charge enable trigger append_only;
alter table billing.account force row level security;
alter table billing.payer force row level security;
alter table billing.charge add check ((channel = 'marketplace') = (payer_id is not null));

create function billing.charge_payer() returns trigger language plpgsql as $$
begin
  new.payer_id := case when new.channel = 'marketplace' then (select a.payer_id from billing.account a where a.tenant_id = new.tenant_id) end;
  return new;
end $$;
create trigger payer before insert on billing.charge for each row execute function billing.charge_payer();

-- Charges that no record holds yet: written with the charge, deleted with its allocation, and in no other way.
create table billing.metering_backlog (
  tenant_id uuid not null,
  payer_id uuid not null,
  occurred_hour timestamptz not null,
  charge_id uuid not null,
  primary key (tenant_id, payer_id, occurred_hour, charge_id)
);
call platform.tenant_table('billing.metering_backlog', 'insert', 'select, insert, delete');
alter table billing.metering_backlog no force row level security;
insert into billing.metering_backlog select tenant_id, payer_id, occurred_hour, id from billing.charge where channel = 'marketplace';
alter table billing.metering_backlog force row level security;
alter table billing.charge force row level security;

create function billing.charge_backlog() returns trigger language plpgsql as $$
begin
  insert into billing.metering_backlog values (new.tenant_id, new.payer_id, new.occurred_hour, new.id);
  return null;
end $$;
create trigger backlog after insert on billing.charge for each row when (new.channel = 'marketplace') execute function billing.charge_backlog();

-- One sealed number per payer, dimension and hour. Records of a payer are a chain: what is less than a unit, or below zero, goes from each
-- to the next, so nothing is lost to rounding and credits consume later usage.
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
  -- When it may be sent next; while a process sends it, when that process is given up.
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
call platform.tenant_table('billing.metering_record', 'select', 'select, insert, update (state, aws_record_id, error_code, due_at, reported_at)');

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
create index on billing.metering_allocation (tenant_id, record_id);
call platform.tenant_table('billing.metering_allocation', 'select', 'select, insert');
call platform.append_only('billing.metering_allocation');

-- Written and committed before each call. An outcome of null or unknown means that AWS may hold the record; duplicate, that it holds one of
-- this hour; absent, that a person made sure it does not hold this one.
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
call platform.tenant_table('billing.metering_attempt', 'select', 'select, insert, update (outcome, code, ended_at)');

-- What a parked record could not report becomes part of a later one's sum, once.
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
call platform.tenant_table('billing.metering_carry', 'select', 'select, insert, update (into_record_id)');

create function billing.metering_refuse(what text) returns void language plpgsql as $$
begin
  raise exception '%', what using errcode = 'restrict_violation';
end $$;

create function billing.metering_backlog_guard() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' and pg_trigger_depth() < 2 then perform billing.metering_refuse('the backlog is written with the charge'); end if;
  if tg_op = 'UPDATE' then perform billing.metering_refuse('the backlog is not changed'); end if;
  if tg_op = 'DELETE' then
    if not exists (select from billing.metering_allocation where tenant_id = old.tenant_id and charge_id = old.charge_id) then
      perform billing.metering_refuse('a charge leaves the backlog with its allocation');
    end if;
    return old;
  end if;
  return new;
end $$;
create trigger guard before insert or update or delete on billing.metering_backlog for each row execute function billing.metering_backlog_guard();

-- What was sealed never changes; a record moves from sealed to accepted or parked, and from parked to accepted or carried.
create function billing.metering_record_guard() returns trigger language plpgsql as $$
declare
  moving text[] := array['state', 'aws_record_id', 'error_code', 'due_at', 'reported_at', 'previous_seq', 'reported_micros'];
begin
  if tg_op = 'DELETE' or to_jsonb(new) - moving is distinct from to_jsonb(old) - moving then
    perform billing.metering_refuse('a sealed metering record never changes');
  end if;
  if old.state in ('accepted', 'carried') then perform billing.metering_refuse('the metering record is closed'); end if;
  if new.state = old.state then return new; end if;
  if (old.state, new.state) not in (('sealed', 'accepted'), ('sealed', 'parked'), ('parked', 'accepted'), ('parked', 'carried')) then
    perform billing.metering_refuse(format('a metering record does not go from %s to %s', old.state, new.state));
  end if;
  if new.state = 'carried' then
    if not exists (select from billing.metering_carry where tenant_id = new.tenant_id and record_id = new.id) then
      perform billing.metering_refuse('a record is carried by its row in metering_carry');
    end if;
  elsif not exists (select from billing.metering_attempt where tenant_id = new.tenant_id and record_id = new.id) then
    perform billing.metering_refuse('a record that was never sent has no answer');
  end if;
  return new;
end $$;
create trigger guard before update or delete on billing.metering_record for each row execute function billing.metering_record_guard();

-- At commit: the record holds exactly the charges and carried amounts that point to it, and its allocations sum to its quantity.
create function billing.metering_record_sum() returns trigger language plpgsql as $$
begin
  if new.sum_micros <> (select coalesce(sum(amount_micros), 0) from billing.metering_allocation where tenant_id = new.tenant_id and record_id = new.id)
                     + (select coalesce(sum(amount_micros), 0) from billing.metering_carry where tenant_id = new.tenant_id and into_record_id = new.id) then
    perform billing.metering_refuse('the record''s sum is not the sum of what it holds');
  end if;
  if new.allocations is not null
     and new.quantity <> (select sum((a ->> 'AllocatedUsageQuantity')::bigint) from jsonb_array_elements(new.allocations::jsonb) a) then
    perform billing.metering_refuse('the allocations do not sum to the quantity');
  end if;
  return null;
end $$;
create constraint trigger sum after insert on billing.metering_record deferrable initially deferred
  for each row execute function billing.metering_record_sum();

-- A record is filled in the transaction that makes it, with charges of its payer up to its hour; so its sum cannot be wrong afterwards.
create function billing.metering_allocation_guard() returns trigger language plpgsql as $$
begin
  if exists (
    select from added a
    join billing.charge c on c.tenant_id = a.tenant_id and c.id = a.charge_id
    left join billing.metering_record r on r.tenant_id = a.tenant_id and r.id = a.record_id and r.xmin = pg_current_xact_id()::xid
    where r.id is null or c.payer_id <> r.payer_id or c.occurred_hour > r.hour) then
    perform billing.metering_refuse('a charge joins a new record of its payer, of its hour or later');
  end if;
  return null;
end $$;
create trigger guard after insert on billing.metering_allocation referencing new table as added
  for each statement execute function billing.metering_allocation_guard();

create function billing.metering_attempt_guard() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    if not exists (select from billing.metering_record where tenant_id = new.tenant_id and id = new.record_id and state = 'sealed') then
      perform billing.metering_refuse('only a sealed record is sent');
    end if;
    return new;
  end if;
  if tg_op = 'DELETE' or (old.outcome is not null and (old.outcome, new.outcome) not in (
       ('unknown', 'accepted'), ('unknown', 'absent'), ('duplicate', 'absent'), ('absent', 'accepted'))) then
    perform billing.metering_refuse('an attempt has one outcome');
  end if;
  return new;
end $$;
create trigger guard before insert or update or delete on billing.metering_attempt for each row execute function billing.metering_attempt_guard();

create function billing.metering_carry_guard() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    -- The lock holds off an answer that would otherwise race with this decision.
    if (select state from billing.metering_record where tenant_id = new.tenant_id and id = new.record_id for no key update) is distinct from 'parked'
       or new.into_record_id is not null
       or exists (select from billing.metering_attempt where tenant_id = new.tenant_id and record_id = new.record_id
                  and coalesce(outcome, 'unknown') in ('unknown', 'accepted', 'duplicate')) then
      perform billing.metering_refuse('only a parked record that AWS certainly does not hold is carried');
    end if;
    return new;
  end if;
  if tg_op = 'DELETE' or old.into_record_id is not null
     or not exists (select from billing.metering_record where tenant_id = new.tenant_id and id = new.into_record_id and payer_id = new.payer_id
                    and xmin = pg_current_xact_id()::xid) then
    perform billing.metering_refuse('an amount is carried once, into a new record of its payer');
  end if;
  return new;
end $$;
create trigger guard before insert or update or delete on billing.metering_carry for each row execute function billing.metering_carry_guard();

create function billing.metering_carried() returns trigger language plpgsql as $$
begin
  update billing.metering_record set state = 'carried' where tenant_id = new.tenant_id and id = new.record_id;
  return null;
end $$;
create trigger carried after insert on billing.metering_carry for each row execute function billing.metering_carried();

-- How long usage has waited to be reported, as it was last said; so that any number of processes say it once.
create table billing.metering_watch (
  one boolean primary key default true check (one),
  level text not null default 'ok' check (level in ('ok', 'warning', 'error')),
  changed_at timestamptz not null default now()
);
insert into billing.metering_watch default values;
grant select, update on billing.metering_watch to na_system;
