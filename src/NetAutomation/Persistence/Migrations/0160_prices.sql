-- Prices made by the provider's staff, a free part of each month, amounts that the database multiplies again, and rentals that renew.

-- origin: a price of the block's manifest gives way to one the staff made, until that one is ended.
alter table billing.price_version
  add free_per_month bigint not null default 0 check (free_per_month >= 0),
  add origin text not null default 'manifest' check (origin in ('manifest', 'operator')),
  add unique (id, currency, unit_micros);
-- A range that was already ended stays so, and none that is in force is ended in the past.
create or replace function billing.price_version_guard() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' or to_jsonb(new) - 'valid' is distinct from to_jsonb(old) - 'valid' or lower(new.valid) is distinct from lower(old.valid)
     or not upper_inf(old.valid) or upper_inf(new.valid) or upper(new.valid) < now() then
    raise exception 'a price version is immutable; it can only be ended, and not in the past' using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create index on billing.price_version (sku text_pattern_ops);

-- Every number of a settlement is either copied from its reservation or checked against it.
alter table billing.reservation
  add unit_micros bigint,
  add free_quantity bigint not null default 0;
alter table billing.settlement
  drop constraint settlement_tenant_id_reservation_id_run_id_component_reser_fkey,
  add reserved_quantity bigint,
  add unit_micros bigint,
  add reserved_free bigint not null default 0,
  add free_quantity bigint not null default 0;
alter table billing.reservation drop constraint reservation_tenant_id_id_run_id_component_amount_micros_cur_key;

alter table billing.reservation no force row level security;
alter table billing.settlement no force row level security;
alter table billing.reservation disable trigger append_only;
alter table billing.settlement disable trigger append_only;
update billing.reservation r set unit_micros = p.unit_micros from billing.price_version p where p.id = r.price_version_id;
update billing.settlement s set unit_micros = r.unit_micros, reserved_quantity = r.quantity
  from billing.reservation r where r.tenant_id = s.tenant_id and r.id = s.reservation_id;
alter table billing.reservation enable trigger append_only;
alter table billing.settlement enable trigger append_only;
alter table billing.reservation force row level security;
alter table billing.settlement force row level security;

alter table billing.reservation
  alter unit_micros set not null,
  add check (free_quantity between 0 and quantity),
  add check (amount_micros = (quantity - free_quantity) * unit_micros),
  add foreign key (price_version_id, currency, unit_micros) references billing.price_version (id, currency, unit_micros),
  add unique (tenant_id, id, run_id, component, quantity, free_quantity, unit_micros, amount_micros, currency, price_version_id, channel);
alter table billing.settlement
  alter reserved_quantity set not null,
  alter unit_micros set not null,
  add check (quantity <= reserved_quantity),
  add check (free_quantity = least(quantity, reserved_free)),
  add check (amount_micros = (quantity - free_quantity) * unit_micros),
  add constraint settlement_reservation foreign key
    (tenant_id, reservation_id, run_id, component, reserved_quantity, reserved_free, unit_micros, reserved_micros, currency, price_version_id, channel)
    references billing.reservation
    (tenant_id, id, run_id, component, quantity, free_quantity, unit_micros, amount_micros, currency, price_version_id, channel);

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
call platform.tenant_table('billing.free_allowance', 'select, insert, update', 'select');
create function billing.free_allowance_guard() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' or pg_trigger_depth() < 2 then
    raise exception 'the free allowance follows reservations and settlements' using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger guard before insert or update or delete on billing.free_allowance for each row execute function billing.free_allowance_guard();

create function billing.hold_free() returns trigger language plpgsql as $$
begin
  insert into billing.free_allowance as a (tenant_id, sku, month, granted, held)
    select new.tenant_id, p.sku, date_trunc('month', new.created_at at time zone 'UTC')::date, p.free_per_month, new.free_quantity
    from billing.price_version p where p.id = new.price_version_id
    on conflict (tenant_id, sku, month) do update set held = a.held + excluded.held, granted = greatest(a.granted, excluded.granted);
  return null;
end $$;
create trigger hold_free after insert on billing.reservation for each row when (new.free_quantity > 0) execute function billing.hold_free();

create function billing.use_free() returns trigger language plpgsql as $$
begin
  update billing.free_allowance a set held = a.held - new.reserved_free, used = a.used + new.free_quantity
    from billing.reservation r join billing.price_version p on p.id = r.price_version_id
    where r.tenant_id = new.tenant_id and r.id = new.reservation_id
      and a.tenant_id = new.tenant_id and a.sku = p.sku and a.month = date_trunc('month', r.created_at at time zone 'UTC')::date;
  return null;
end $$;
create trigger use_free after insert on billing.settlement for each row when (new.reserved_free > 0) execute function billing.use_free();

-- A rental renews at most once, and its successor begins no earlier than it ends (the exclusion constraint on the rights says so too).
alter table purchasing.purchase
  add renewal_of uuid,
  add unique (tenant_id, renewal_of),
  add check (renewal_of is null or kind = 'rental'),
  add foreign key (tenant_id, renewal_of) references purchasing.entitlement (tenant_id, id);
-- Why the last try to renew was refused: a problem code.
alter table purchasing.entitlement add renewal_refused text check (kind = 'rental' or renewal_refused is null);
create index entitlement_renewal on purchasing.entitlement (ends_at) where auto_renew;
