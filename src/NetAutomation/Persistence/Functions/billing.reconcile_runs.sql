-- One pass over the runs made since p_low, with what settlements, charges, usage and receipts say of each.
create or replace function billing.reconcile_runs(p_tenant uuid, p_low uuid)
returns table (check_name text, subject text, detail text) language plpgsql stable set plan_cache_mode = force_custom_plan as $$
declare first_receipt bigint;
begin
  return query
  with s as (
    select run_id, count(*) as parts, sum(amount_micros) as amount,
      coalesce(sum(quantity) filter (where component = 'device'), 0) as devices,
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
  from runs.run r
    left join s on s.run_id = r.id left join c on c.run_id = r.id left join u on u.run_id = r.id left join t on t.run_id = r.id
  cross join lateral (values
    ('run_unsettled', r.terminal and coalesce(s.parts, 0) <> 3, format('%s settlements of an ended run', coalesce(s.parts, 0))),
    ('run_settled_early', not r.terminal and s.parts > 0, format('%s settlements of a run in state %s', s.parts, r.state)),
    ('run_charged', s.parts = 3 and r.charged_micros <> s.amount,
      format('the run says %s, its settlements %s micros', r.charged_micros, s.amount)),
    ('settlement_charge', s.parts = 3 and s.amount <> coalesce(c.amount, 0),
      format('settled %s, charged %s micros', s.amount, coalesce(c.amount, 0))),
    ('usage_quantity', s.parts = 3 and s.devices <> coalesce(u.devices, 0),
      format('%s devices settled, %s metered', s.devices, coalesce(u.devices, 0))),
    ('receipt_price', s.parts = 3 and s.device_amount <> coalesce(t.amount, 0),
      format('settled %s, receipts say %s micros', s.device_amount, coalesce(t.amount, 0)))
  ) h (check_name, hit, detail)
  where r.tenant_id = p_tenant and r.id >= p_low and h.hit;

  -- The longest run takes 24 h. A queued or unknown run waits for a person or a worker, which is no fault of the books.
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
