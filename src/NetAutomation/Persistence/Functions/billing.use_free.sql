create or replace function billing.use_free() returns trigger language plpgsql as $$
begin
  update billing.free_allowance a set held = a.held - new.reserved_free, used = a.used + new.free_quantity
    from billing.reservation r join billing.price_version p on p.id = r.price_version_id
    where r.tenant_id = new.tenant_id and r.id = new.reservation_id
      and a.tenant_id = new.tenant_id and a.sku = p.sku and a.month = date_trunc('month', r.created_at at time zone 'UTC')::date;
  return null;
end $$;
create or replace trigger use_free after insert on billing.settlement
  for each row when (new.reserved_free > 0) execute function billing.use_free();
