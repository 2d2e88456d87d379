-- Whether the books add up. Every check is a query that returns no row; a row parks the tenant's invoicing, while its runs go on.
-- What the keys of the tables make impossible is checked all the same: a restore, a repair by hand or a dropped key is no write of ours.

create index on billing.usage_event (tenant_id, occurred_at);

alter table billing.account
  add parked_at timestamptz,
  add parked_by text[],
  add checked_at timestamptz,
  add fully_checked_at timestamptz,
  add check ((parked_at is null) = (parked_by is null));

create table billing.finding (
  tenant_id uuid not null references billing.account (tenant_id),
  check_name text not null,
  subject text not null,
  detail text not null,
  found_at timestamptz not null default now(),
  primary key (tenant_id, check_name, subject)
);
call platform.tenant_table('billing.finding', '', 'select, insert, delete');

-- The smallest UUIDv7 of this time. Ids are time-ordered, so what is recent is one range of each primary key.
create function billing.first_id(at timestamptz) returns uuid language sql immutable as $$
  select (lpad(to_hex(floor(extract(epoch from at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
$$;

-- One pass over the runs made since p_low, with what settlements, charges, usage and receipts say of each.
create function billing.reconcile_runs(p_tenant uuid, p_low uuid) returns table (check_name text, subject text, detail text)
language plpgsql stable set plan_cache_mode = force_custom_plan as $$
declare first_receipt bigint;
begin
  return query
  with s as (
    select run_id, count(*) as parts, sum(amount_micros) as amount, coalesce(sum(quantity) filter (where component = 'device'), 0) as devices,
      coalesce(sum(amount_micros) filter (where component = 'device'), 0) as device_amount
    from billing.settlement where tenant_id = p_tenant and run_id >= p_low group by run_id),
  c as (
    select v.run_id, sum(c.amount_micros) as amount
    from billing.reservation v join billing.charge c on c.tenant_id = v.tenant_id and c.reservation_id = v.id
    where v.tenant_id = p_tenant and v.run_id >= p_low group by v.run_id),
  u as (
    select run_id, count(*) as devices from billing.usage_event
    where tenant_id = p_tenant and run_id >= p_low and meter = 'device' and reverses is null group by run_id),
  t as (select run_id, sum(price_micros) as amount from billing.receipt where tenant_id = p_tenant and run_id >= p_low group by run_id)
  select h.check_name, 'run ' || r.id, h.detail
  from runs.run r left join s on s.run_id = r.id left join c on c.run_id = r.id left join u on u.run_id = r.id left join t on t.run_id = r.id
  cross join lateral (values
    ('run_unsettled', r.terminal and coalesce(s.parts, 0) <> 3, format('%s settlements of an ended run', coalesce(s.parts, 0))),
    ('run_settled_early', not r.terminal and s.parts > 0, format('%s settlements of a run in state %s', s.parts, r.state)),
    ('run_charged', s.parts = 3 and r.charged_micros <> s.amount, format('the run says %s, its settlements %s micros', r.charged_micros, s.amount)),
    ('settlement_charge', s.parts = 3 and s.amount <> coalesce(c.amount, 0), format('settled %s, charged %s micros', s.amount, coalesce(c.amount, 0))),
    ('usage_quantity', s.parts = 3 and s.devices <> coalesce(u.devices, 0), format('%s devices settled, %s metered', s.devices, coalesce(u.devices, 0))),
    ('receipt_price', s.parts = 3 and s.device_amount <> coalesce(t.amount, 0), format('settled %s, receipts say %s micros', s.device_amount, coalesce(t.amount, 0)))
  ) h (check_name, hit, detail)
  where r.tenant_id = p_tenant and r.id >= p_low and h.hit;

  -- The longest run takes 24 h. A queued or unknown run waits for somebody, which is no fault of the books.
  return query
  select 'reservation_stuck', 'run ' || v.run_id, format('held since %s, the run is %s', min(v.created_at), coalesce(min(r.state), 'gone'))
  from billing.reservation v
    left join billing.settlement s on s.tenant_id = v.tenant_id and s.reservation_id = v.id
    left join runs.run r on r.tenant_id = v.tenant_id and r.id = v.run_id
  where v.tenant_id = p_tenant and v.run_id >= p_low and s.reservation_id is null and v.created_at < now() - interval '25 hours'
    and (r.id is null or (r.state in ('claimed', 'running', 'cancelling') and r.lease_until < now() - interval '1 hour'))
  group by v.run_id;

  select min(seq) into first_receipt from billing.receipt where tenant_id = p_tenant and run_id >= p_low;
  return query
  with n as (
    select r.seq, r.previous_hash, lag(r.seq) over w as before_seq, lag(r.hash) over w as before_hash
    from billing.receipt r where r.tenant_id = p_tenant and r.seq >= first_receipt - 1 window w as (order by r.seq))
  select 'receipt_chain', 'receipt ' || n.seq, 'it does not follow the receipt before it' from n
  where case when n.seq = 1 then n.previous_hash <> decode(repeat('00', 32), 'hex')
             else n.seq >= first_receipt and (n.before_seq, n.before_hash) is distinct from (n.seq - 1, n.previous_hash) end;

  return query
  select 'receipt_chain', 'receipt ' || h.seq, 'the head of the chain is not its last receipt'
  from billing.receipt_head h left join billing.receipt r on r.tenant_id = h.tenant_id and r.seq = h.seq
  where h.tenant_id = p_tenant and h.seq > 0
    and (r.hash is distinct from h.hash or exists (select from billing.receipt l where l.tenant_id = h.tenant_id and l.seq > h.seq));
end $$;

-- Charges, the documents they stand on, and what was bought. A Marketplace month is metered when it is over and its grace has passed.
create function billing.reconcile_books(p_tenant uuid, p_low uuid, p_since timestamptz, p_grace interval) returns table (check_name text, subject text, detail text)
language plpgsql stable set plan_cache_mode = force_custom_plan as $$
declare closed timestamptz := date_trunc('month', (now() - p_grace) at time zone 'UTC') at time zone 'UTC';
begin
  return query
  select h.check_name, 'charge ' || c.id, h.detail
  from billing.charge c
    left join billing.invoice_line l on l.tenant_id = c.tenant_id and l.charge_id = c.id and l.live
    left join billing.metering_allocation m on m.tenant_id = c.tenant_id and m.charge_id = c.id
  cross join lateral (values
    ('charge_unbilled', c.channel = 'direct' and l.charge_id is null, 'on no invoice'),
    ('charge_unbilled', c.channel = 'marketplace' and m.charge_id is null and c.occurred_at < closed, 'its month is closed, and no metering record holds it'),
    ('charge_twice', l.charge_id is not null and m.charge_id is not null, 'on an invoice and in a metering record'),
    ('line_amount', (l.amount_micros, l.currency) is distinct from (c.amount_micros, c.currency) and l.charge_id is not null, format('charged %s, billed %s micros', c.amount_micros, l.amount_micros))
  ) h (check_name, hit, detail)
  where c.tenant_id = p_tenant and c.occurred_at >= p_since and h.hit;

  return query
  select 'adjustment_uncharged', 'adjustment ' || a.id, 'it has no charge of its amount'
  from billing.adjustment a
    left join billing.charge c on c.tenant_id = a.tenant_id and c.id = a.charge_id and c.adjustment_id = a.id and c.amount_micros = a.amount_micros
  where a.tenant_id = p_tenant and a.id >= p_low and c.id is null;

  return query
  select 'purchase_uncharged', 'purchase ' || p.id, format('its price is %s, charged %s micros', p.price_micros, coalesce(sum(c.amount_micros), 0))
  from purchasing.purchase p left join billing.charge c on c.tenant_id = p.tenant_id and c.purchase_id = p.id
  where p.tenant_id = p_tenant and p.id >= p_low
  group by p.id, p.price_micros having p.price_micros <> coalesce(sum(c.amount_micros), 0);

  -- A dozen documents a year: all of them, always.
  return query
  select h.check_name, 'invoice ' || i.number, h.detail
  from billing.invoice i
    left join billing.invoice b on b.tenant_id = i.tenant_id and b.kind = i.kind and b.seq = i.seq - 1
  cross join lateral (
    select sum(l.amount_micros) as lines from billing.invoice_line l where l.tenant_id = i.tenant_id and l.invoice_id = i.id) x
  cross join lateral (
    select i.document::jsonb as d) j
  cross join lateral (
    select sum((l -> 'amount' ->> 'amount')::numeric * 1000000) as amount, sum((l -> 'exact' ->> 'amount')::numeric * 1000000) as exact
    from jsonb_array_elements(j.d -> 'lines') l) y
  cross join lateral (values
    ('invoice_total', i.kind = 'invoice' and x.lines is distinct from i.exact_micros, format('frozen %s, its charges %s micros', i.exact_micros, x.lines)),
    ('invoice_total', (y.amount, y.exact, (j.d -> 'total' ->> 'amount')::numeric * 1000000) is distinct from (i.total_micros, i.exact_micros, i.total_micros),
      format('frozen %s, the document''s lines say %s micros', i.total_micros, y.amount)),
    ('invoice_chain', i.document_sha256 <> sha256(convert_to(i.document, 'UTF8')) or j.d ->> 'number' <> i.number
      or j.d ->> 'previousHash' <> 'sha256:' || encode(i.previous_sha256, 'hex'), 'the document is not what its row says'),
    ('invoice_chain', i.previous_sha256 is distinct from case when i.seq = 1 then decode(repeat('00', 32), 'hex') else b.document_sha256 end,
      'it does not follow the document before it')
  ) h (check_name, hit, detail)
  where i.tenant_id = p_tenant and i.seq is not null and h.hit;
end $$;

-- What was sealed for AWS Marketplace, and what is carried from record to record.
create function billing.reconcile_metering(p_tenant uuid, p_since timestamptz) returns table (check_name text, subject text, detail text)
language plpgsql stable set plan_cache_mode = force_custom_plan as $$
begin
  return query
  select h.check_name, 'metering record ' || r.id, h.detail
  from billing.metering_record r
    left join billing.metering_record b on b.tenant_id = r.tenant_id and b.payer_id = r.payer_id and b.seq = r.seq - 1
  cross join lateral (
    select coalesce((select sum(m.amount_micros) from billing.metering_allocation m where m.tenant_id = r.tenant_id and m.record_id = r.id), 0)
         + coalesce((select sum(k.amount_micros) from billing.metering_carry k where k.tenant_id = r.tenant_id and k.into_record_id = r.id), 0) as held) x
  cross join lateral (values
    ('metering_sum', x.held <> r.sum_micros, format('sealed %s, its charges are %s micros', r.sum_micros, x.held)),
    ('metering_carry', r.carry_in_micros <> case when r.seq = 1 then 0 else coalesce(b.carry_out_micros, 0) end or (r.seq > 1 and b.seq is null),
      'what it carries in is not what the record before it carries out')
  ) h (check_name, hit, detail)
  where r.tenant_id = p_tenant and r.hour >= p_since and h.hit;
end $$;

create function billing.reconcile(p_tenant uuid, p_since timestamptz, p_grace interval) returns table (check_name text, subject text, detail text) language sql stable as $$
  select * from billing.reconcile_runs(p_tenant, billing.first_id(p_since))
  union all
  select * from billing.reconcile_books(p_tenant, billing.first_id(p_since), p_since, p_grace)
  union all
  select * from billing.reconcile_metering(p_tenant, p_since)
$$;

-- Checks one tenant and parks it, or lets it go on. What was not fully checked for a day, or is parked, is checked from its beginning.
-- Returns the number of findings.
create function billing.check_books(p_tenant uuid, p_since timestamptz, p_grace interval) returns bigint language plpgsql as $$
declare a billing.account; since timestamptz := p_since; checks text[]; hits bigint;
begin
  select * into a from billing.account where tenant_id = p_tenant for no key update;
  if a.parked_at is not null or a.fully_checked_at is null or a.fully_checked_at < now() - interval '1 day' then since := 'epoch'; end if;
  with rows as materialized (select * from billing.reconcile(p_tenant, since, p_grace) limit 10000),
  gone as (
    delete from billing.finding f where f.tenant_id = p_tenant
      and not exists (select from rows r where (r.check_name, r.subject) = (f.check_name, f.subject))),
  fresh as (
    insert into billing.finding (tenant_id, check_name, subject, detail)
    select distinct on (r.check_name, r.subject) p_tenant, r.check_name, r.subject, r.detail from rows r
    on conflict do nothing)
  select array_agg(distinct r.check_name order by r.check_name), count(*) into checks, hits from rows r;
  update billing.account set checked_at = now(), fully_checked_at = case when since = 'epoch' then now() else fully_checked_at end,
    parked_by = checks, parked_at = case when hits > 0 then coalesce(parked_at, now()) end
  where tenant_id = p_tenant;
  return hits;
end $$;

-- The charges of runs, taken apart by device where the receipts of the run add up to the charge, and what takes them back likewise.
create view billing.charge_part with (security_invoker = true) as
select c.tenant_id, c.id as charge_id, c.occurred_at, s.run_id, s.component, d.device_id,
  case when d.device_id is null then c.quantity else sign(c.quantity)::bigint end as quantity,
  case when d.device_id is null then c.amount_micros else sign(c.amount_micros)::bigint * d.price_micros end as amount_micros
from billing.charge c
  left join billing.adjustment a on a.tenant_id = c.tenant_id and a.id = c.adjustment_id
  left join billing.charge o on o.tenant_id = a.tenant_id and o.id = a.reverses
  left join billing.settlement s on s.tenant_id = c.tenant_id and s.reservation_id = coalesce(c.reservation_id, o.reservation_id)
  left join lateral (
    select r.device_id, r.price_micros from billing.receipt r
    where s.component = 'device' and r.tenant_id = c.tenant_id and r.run_id = s.run_id and r.price_micros > 0
      and abs(c.amount_micros) = (select sum(t.price_micros) from billing.receipt t where t.tenant_id = c.tenant_id and t.run_id = s.run_id)
  ) d on true;
grant select on billing.charge_part to na_app, na_system;
