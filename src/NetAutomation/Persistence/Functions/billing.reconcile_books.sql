-- Charges, the documents they stand on, and what was bought. A Marketplace month is metered when it is over and its grace has passed. A
-- document without lines adds up: its sums are 0, not null.
create or replace function billing.reconcile_books(p_tenant uuid, p_low uuid, p_since timestamptz, p_grace interval)
returns table (check_name text, subject text, detail text) language plpgsql stable set plan_cache_mode = force_custom_plan as $$
declare closed timestamptz := date_trunc('month', (now() - p_grace) at time zone 'UTC') at time zone 'UTC';
begin
  return query
  select h.check_name, 'charge ' || c.id, h.detail
  from billing.charge c
    left join billing.invoice_line l on l.tenant_id = c.tenant_id and l.charge_id = c.id and l.live
    left join billing.metering_allocation m on m.tenant_id = c.tenant_id and m.charge_id = c.id
  cross join lateral (values
    ('charge_unbilled', c.channel = 'direct' and l.charge_id is null, 'on no invoice'),
    ('charge_unbilled', c.channel = 'marketplace' and m.charge_id is null and c.occurred_at < closed,
      'its month is closed, and no metering record holds it'),
    ('charge_twice', l.charge_id is not null and m.charge_id is not null, 'on an invoice and in a metering record'),
    ('line_amount', (l.amount_micros, l.currency) is distinct from (c.amount_micros, c.currency) and l.charge_id is not null,
      format('charged %s, billed %s micros', c.amount_micros, l.amount_micros))
  ) h (check_name, hit, detail)
  where c.tenant_id = p_tenant and c.occurred_at >= p_since and h.hit;

  return query
  select 'adjustment_uncharged', 'adjustment ' || a.id, 'it has no charge of its amount'
  from billing.adjustment a
    left join billing.charge c
      on c.tenant_id = a.tenant_id and c.id = a.charge_id and c.adjustment_id = a.id and c.amount_micros = a.amount_micros
  where a.tenant_id = p_tenant and a.id >= p_low and c.id is null;

  return query
  select 'purchase_uncharged', 'purchase ' || p.id,
    format('its price is %s, charged %s micros', p.price_micros, coalesce(sum(c.amount_micros), 0))
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
    select coalesce(sum((l -> 'amount' ->> 'amount')::numeric * 1000000), 0) as amount,
      coalesce(sum((l -> 'exact' ->> 'amount')::numeric * 1000000), 0) as exact
    from jsonb_array_elements(j.d -> 'lines') l) y
  cross join lateral (values
    ('invoice_total', i.kind = 'invoice' and x.lines is distinct from i.exact_micros,
      format('frozen %s, its charges %s micros', i.exact_micros, x.lines)),
    ('invoice_total',
      (y.amount, y.exact, (j.d -> 'total' ->> 'amount')::numeric * 1000000)
        is distinct from (i.total_micros, i.exact_micros, i.total_micros),
      format('frozen %s, the document''s lines say %s micros', i.total_micros, y.amount)),
    ('invoice_chain', i.document_sha256 <> sha256(convert_to(i.document, 'UTF8')) or j.d ->> 'number' <> i.number
      or j.d ->> 'previousHash' <> 'sha256:' || encode(i.previous_sha256, 'hex'), 'the document is not what its row says'),
    ('invoice_chain',
      i.previous_sha256 is distinct from case when i.seq = 1 then decode(repeat('00', 32), 'hex') else b.document_sha256 end,
      'it does not follow the document before it')
  ) h (check_name, hit, detail)
  where i.tenant_id = p_tenant and i.seq is not null and h.hit;
end $$;
