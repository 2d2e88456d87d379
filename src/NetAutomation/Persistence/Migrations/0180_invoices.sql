-- Corrections, invoices from draft to void, payments. Nothing here is ever edited: what was wrong is corrected by another row.

create function billing.document_number(prefix text, at timestamptz, seq int) returns text language sql immutable as $$
  select prefix || '-' || extract(year from at at time zone 'UTC')::int::text || '-' || lpad(seq::text, greatest(6, length(seq::text)), '0')
$$;

-- A credit or debit has no price; everything else has one.
alter table billing.charge alter price_version_id drop not null;
alter table billing.charge add check (price_version_id is not null or adjustment_id is not null);

-- Issued documents: numbered without gaps, each naming the hash of the one before, both by foreign key. The text is the document; the
-- columns beside it are there to be checked and searched.
alter table billing.invoice
  alter document type text using document::text,
  add seq int check (seq > 0),
  add previous_seq int generated always as (nullif(seq - 1, 0)) stored,
  add number text generated always as (billing.document_number(case kind when 'invoice' then 'INV' else 'STM' end, issued_at, seq)) stored,
  add live boolean generated always as (state <> 'void') stored,
  add revision int not null default 1 check (revision > 0),
  add replaces uuid,
  add due_at timestamptz,
  add exact_micros bigint,
  add rounding_micros bigint,
  add total_micros bigint,
  add voided_at timestamptz,
  add voided_by text,
  add void_reason text check (length(void_reason) between 1 and 500),
  add check (num_nonnulls(seq, document, document_sha256, previous_sha256, exact_micros, rounding_micros, total_micros) = case state when 'draft' then 0 else 7 end),
  add check (total_micros = exact_micros + rounding_micros),
  add check (kind = 'invoice' or rounding_micros = 0),
  add check (kind = 'statement' or total_micros % 10000 = 0),
  add check ((due_at is not null) = (state <> 'draft' and kind = 'invoice')),
  -- A month is closed when it is over: until then its draft takes charges.
  add check (issued_at >= (upper(period)::timestamp at time zone 'UTC')),
  add check (num_nonnulls(voided_at, voided_by, void_reason) = case state when 'void' then 3 else 0 end),
  add check (state <> 'void' or kind = 'invoice'),
  add check (seq <> 1 or previous_sha256 = decode(repeat('00', 32), 'hex')),
  add check (document_sha256 = sha256(convert_to(document, 'UTF8'))),
  add check ((revision = 1) = (replaces is null)),
  add unique (tenant_id, kind, seq),
  add unique (tenant_id, kind, seq, document_sha256),
  add unique (tenant_id, replaces),
  add unique (tenant_id, kind, currency, period, revision),
  add foreign key (tenant_id, kind, previous_seq, previous_sha256) references billing.invoice (tenant_id, kind, seq, document_sha256),
  add foreign key (tenant_id, replaces) references billing.invoice (tenant_id, id);
create index invoice_due on billing.invoice (tenant_id, due_at) where state = 'issued' and kind = 'invoice';
create index invoice_draft on billing.invoice (upper(period)) where state = 'draft';

-- A charge stands on one live invoice at a time. Voiding an invoice releases its lines through this foreign key, and nothing else does.
alter table billing.invoice_line add live boolean not null default true;
alter table billing.invoice_line
  drop constraint invoice_line_pkey,
  drop constraint invoice_line_tenant_id_invoice_id_kind_currency_fkey,
  add primary key (tenant_id, charge_id, invoice_id);
create unique index invoice_line_once on billing.invoice_line (tenant_id, charge_id) where live;
create index on billing.invoice_line (tenant_id, invoice_id);
alter table billing.invoice drop constraint invoice_tenant_id_id_kind_currency_key, add unique (tenant_id, id, kind, currency, live);
alter table billing.invoice_line add foreign key (tenant_id, invoice_id, kind, currency, live)
  references billing.invoice (tenant_id, id, kind, currency, live) on update cascade;
drop trigger append_only on billing.invoice_line;
create function billing.invoice_line_change() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' or new.live or not old.live or to_jsonb(new) - 'live' is distinct from to_jsonb(old) - 'live' then
    raise exception 'a line is only ever released, by voiding its invoice' using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger change before update or delete on billing.invoice_line for each row execute function billing.invoice_line_change();

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
create function billing.payment_guard() returns trigger language plpgsql as $$
declare i billing.invoice;
begin
  -- The lock holds off a void and other payments, so that their sum is seen.
  select * into i from billing.invoice where tenant_id = new.tenant_id and id = new.invoice_id for no key update;
  if i.kind is distinct from 'invoice' or i.state <> 'issued' or i.currency <> new.currency
     or i.total_micros < new.amount_micros + (select coalesce(sum(amount_micros), 0) from billing.payment where tenant_id = new.tenant_id and invoice_id = new.invoice_id) then
    raise exception 'a payment is for an issued invoice, and not above what is owed' using errcode = 'check_violation';
  end if;
  return new;
end $$;
create trigger guard before insert on billing.payment for each row execute function billing.payment_guard();
call platform.tenant_table('billing.payment', 'select', 'select, insert');
call platform.append_only('billing.payment');

drop trigger guard on billing.invoice;
create or replace function billing.invoice_guard() returns trigger language plpgsql as $$
declare derived text[] := array['previous_seq', 'number', 'live'];
begin
  if tg_op = 'INSERT' then
    if new.state <> 'draft' then raise exception 'an invoice begins as a draft' using errcode = 'restrict_violation'; end if;
    return new;
  end if;
  if tg_op = 'DELETE' or old.state = 'void' or current_user = 'na_app' then
    raise exception 'an issued invoice never changes; it can only be voided' using errcode = 'restrict_violation';
  end if;
  if old.state = 'issued' then
    derived := derived || array['state', 'voided_at', 'voided_by', 'void_reason'];
    if new.state <> 'void' or to_jsonb(new) - derived is distinct from to_jsonb(old) - derived then
      raise exception 'an issued invoice never changes; it can only be voided' using errcode = 'restrict_violation';
    end if;
    if exists (select from billing.payment where tenant_id = old.tenant_id and invoice_id = old.id) then
      raise exception 'an invoice with payments is corrected by credit notes' using errcode = 'restrict_violation';
    end if;
    return new;
  end if;
  if new.state <> 'issued' or (new.tenant_id, new.id, new.kind, new.currency, new.period, new.revision, new.replaces)
       is distinct from (old.tenant_id, old.id, old.kind, old.currency, old.period, old.revision, old.replaces) then
    raise exception 'a draft is only ever issued' using errcode = 'restrict_violation';
  end if;
  if new.kind = 'invoice' and new.exact_micros is distinct from (
       select coalesce(sum(amount_micros), 0) from billing.invoice_line where tenant_id = new.tenant_id and invoice_id = new.id) then
    raise exception 'an invoice is the sum of its lines' using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger guard before insert or update or delete on billing.invoice for each row execute function billing.invoice_guard();
revoke insert on billing.invoice from na_app;
grant insert (tenant_id, id, kind, currency, period) on billing.invoice to na_app;

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
  foreign key (tenant_id, reverses, reverses_channel, currency, reversed_micros) references billing.charge (tenant_id, id, channel, currency, amount_micros),
  foreign key (tenant_id, charge_id, channel, currency, amount_micros) references billing.charge (tenant_id, id, channel, currency, amount_micros)
    deferrable initially deferred,
  foreign key (tenant_id, credits) references billing.invoice (tenant_id, id),
  foreign key (tenant_id, credit_note_before) references billing.adjustment (tenant_id, credit_note)
);
create index on billing.adjustment (id);
alter table billing.charge add foreign key (tenant_id, adjustment_id, id, amount_micros, currency, channel)
  references billing.adjustment (tenant_id, id, charge_id, amount_micros, currency, channel);

-- What was given back never exceeds what was charged, all in all.
create function billing.adjustment_bound() returns trigger language plpgsql as $$
begin
  perform from billing.account where tenant_id = new.tenant_id for no key update;
  if new.amount_micros + (select coalesce(sum(amount_micros), 0) from billing.charge where tenant_id = new.tenant_id) < 0 then
    raise exception 'more than was charged' using errcode = 'check_violation', constraint = 'adjustment_bound';
  end if;
  return new;
end $$;
create trigger bound before insert on billing.adjustment for each row when (new.amount_micros < 0) execute function billing.adjustment_bound();
call platform.tenant_table('billing.adjustment', 'select', 'select, insert');
call platform.append_only('billing.adjustment');

-- A reversed usage event is taken back as a whole.
create function billing.usage_reversal_guard() returns trigger language plpgsql as $$
begin
  if exists (select from billing.usage_event e where e.tenant_id = new.tenant_id and e.event_id = new.reverses
             and (e.reverses is not null or (e.run_id, e.meter, e.device_id, e.block, -e.quantity)
                  is distinct from (new.run_id, new.meter, new.device_id, new.block, new.quantity))) then
    raise exception 'a reversing event repeats the fact it reverses' using errcode = 'check_violation';
  end if;
  return new;
end $$;
create trigger reversal before insert on billing.usage_event for each row when (new.reverses is not null) execute function billing.usage_reversal_guard();
grant insert on billing.usage_event to na_system;

-- What a tenant owes on invoices that were due before this time. Credit balances count at once.
create function billing.overdue(p_tenant uuid, p_before timestamptz) returns table (owed bigint, due_at timestamptz, number text) language sql stable as $$
  select sum(i.total_micros - i.paid)::bigint, min(i.due_at) filter (where i.total_micros > i.paid),
    (array_agg(i.number order by i.due_at, i.seq) filter (where i.total_micros > i.paid))[1]
  from (select n.number, n.seq, n.due_at, n.total_micros, coalesce((
          select sum(p.amount_micros) from billing.payment p where p.tenant_id = n.tenant_id and p.invoice_id = n.id), 0) as paid
        from billing.invoice n
        where n.tenant_id = p_tenant and n.kind = 'invoice' and n.state = 'issued' and (n.due_at < p_before or n.total_micros < 0)) i
  having sum(i.total_micros - i.paid) > 0
$$;
