-- What a tenant owes on invoices that were due before this time. A credit note lowers at once the issued invoice that its charge stands on,
-- not the invoice that carries it; each is rounded as the lines are. Credit balances count at once.
create or replace function billing.overdue(p_tenant uuid, p_before timestamptz)
returns table (owed bigint, due_at timestamptz, number text) language sql stable as $$
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
  select sum(d.micros)::bigint, min(d.due_at) filter (where d.micros > 0),
    (array_agg(d.number order by d.due_at, d.seq) filter (where d.micros > 0))[1]
  from debt d where d.due_at < p_before or d.micros < 0
  having sum(d.micros) > 0
$$;
