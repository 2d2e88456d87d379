-- A document without lines adds up: its sums are 0, not null.
create or replace function billing.reconcile_books(p_tenant uuid, p_low uuid, p_since timestamptz, p_grace interval) returns table (check_name text, subject text, detail text)
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
    select coalesce(sum(l.amount_micros), 0) as lines from billing.invoice_line l where l.tenant_id = i.tenant_id and l.invoice_id = i.id) x
  cross join lateral (
    select i.document::jsonb as d) j
  cross join lateral (
    select coalesce(sum((l -> 'amount' ->> 'amount')::numeric * 1000000), 0) as amount, coalesce(sum((l -> 'exact' ->> 'amount')::numeric * 1000000), 0) as exact
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

-- As before, but what the receipts of a run add up to is asked once for its charge, not once for each of its devices.
create or replace view billing.charge_part with (security_invoker = true) as
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
  left join billing.receipt d on d.tenant_id = c.tenant_id and d.run_id = s.run_id and d.price_micros > 0 and t.amount = abs(c.amount_micros);

-- A Marketplace charge whose transaction began in a month that was issued meanwhile occurs now: its statement is read from the charges of
-- a month, and is never read again. The lock holds off an issue that would not see the charge.
create function billing.charge_month() returns trigger language plpgsql as $$
begin
  if (select state from billing.invoice where tenant_id = new.tenant_id and kind = 'statement' and period @> (new.occurred_at at time zone 'UTC')::date
      for share) = 'issued' then
    new.occurred_at := clock_timestamp();
  end if;
  return new;
end $$;
create trigger month before insert on billing.charge for each row when (new.channel = 'marketplace') execute function billing.charge_month();

-- Half to even, as the lines of an invoice are rounded.
create function billing.to_cents(micros numeric) returns bigint language sql immutable as $$
  select (case when abs(micros) % 10000 = 5000 then 2 * round(micros / 20000) else round(micros / 10000) end * 10000)::bigint
$$;

-- What a tenant owes on invoices that were due before this time. A credit note lowers the issued invoice that its charge stands on, at once,
-- and not the invoice that carries it; each is rounded as the lines are. Credit balances count at once.
create or replace function billing.overdue(p_tenant uuid, p_before timestamptz) returns table (owed bigint, due_at timestamptz, number text) language sql stable as $$
  with note as (
    select i.id as of_invoice, l.invoice_id as on_invoice, a.credits, c.sku, coalesce(c.price_version_id, c.id) as price, a.amount_micros
    from billing.adjustment a
      join billing.charge c on c.tenant_id = a.tenant_id and c.id = a.charge_id
      join billing.invoice_line o on o.tenant_id = a.tenant_id and o.charge_id = a.reverses and o.live
      join billing.invoice i on i.tenant_id = o.tenant_id and i.id = o.invoice_id and i.state = 'issued'
      join billing.invoice_line l on l.tenant_id = c.tenant_id and l.charge_id = c.id and l.live
    where a.tenant_id = p_tenant and a.credits is not null),
  moved as (
    select of_invoice as invoice_id, billing.to_cents(sum(amount_micros)) as micros from note group by of_invoice, sku, price
    union all
    select on_invoice, -billing.to_cents(sum(amount_micros)) from note group by on_invoice, credits, sku, price),
  debt as (
    select n.number, n.seq, n.due_at, n.total_micros + coalesce(m.micros, 0)
      - coalesce((select sum(p.amount_micros) from billing.payment p where p.tenant_id = n.tenant_id and p.invoice_id = n.id), 0) as micros
    from billing.invoice n left join (select invoice_id, sum(micros) as micros from moved group by 1) m on m.invoice_id = n.id
    where n.tenant_id = p_tenant and n.kind = 'invoice' and n.state = 'issued')
  select sum(d.micros)::bigint, min(d.due_at) filter (where d.micros > 0), (array_agg(d.number order by d.due_at, d.seq) filter (where d.micros > 0))[1]
  from debt d where d.due_at < p_before or d.micros < 0
  having sum(d.micros) > 0
$$;
