create or replace function billing.hold_free() returns trigger language plpgsql as $$
begin
  insert into billing.free_allowance as a (tenant_id, sku, month, granted, held)
    select new.tenant_id, p.sku, date_trunc('month', new.created_at at time zone 'UTC')::date, p.free_per_month, new.free_quantity
    from billing.price_version p where p.id = new.price_version_id
    on conflict (tenant_id, sku, month) do update set held = a.held + excluded.held, granted = greatest(a.granted, excluded.granted);
  return null;
end $$;
create or replace trigger hold_free after insert on billing.reservation
  for each row when (new.free_quantity > 0) execute function billing.hold_free();
