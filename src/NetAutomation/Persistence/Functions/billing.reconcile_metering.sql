-- What was sealed for AWS Marketplace, and what is carried from record to record.
create or replace function billing.reconcile_metering(p_tenant uuid, p_since timestamptz)
returns table (check_name text, subject text, detail text) language plpgsql stable set plan_cache_mode = force_custom_plan as $$
begin
  return query
  select h.check_name, 'metering record ' || r.id, h.detail
  from billing.metering_record r
    left join billing.metering_record b on b.tenant_id = r.tenant_id and b.payer_id = r.payer_id and b.seq = r.seq - 1
  cross join lateral (
    select coalesce((
        select sum(m.amount_micros) from billing.metering_allocation m where m.tenant_id = r.tenant_id and m.record_id = r.id), 0)
      + coalesce((
        select sum(k.amount_micros) from billing.metering_carry k
        where k.tenant_id = r.tenant_id and k.into_record_id = r.id), 0) as held) x
  cross join lateral (values
    ('metering_sum', x.held <> r.sum_micros, format('sealed %s, its charges are %s micros', r.sum_micros, x.held)),
    ('metering_carry',
      r.carry_in_micros <> case when r.seq = 1 then 0 else coalesce(b.carry_out_micros, 0) end or (r.seq > 1 and b.seq is null),
      'what it carries in is not what the record before it carries out')
  ) h (check_name, hit, detail)
  where r.tenant_id = p_tenant and r.hour >= p_since and h.hit;
end $$;
