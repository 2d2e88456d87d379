-- The allowance is that of the month the run was accepted in: when that is over, nobody takes from it any more.
create or replace function billing.return_free() returns trigger language plpgsql as $$
begin
  update billing.free_allowance a set used = a.used - s.free_quantity
    from billing.settlement s
      join billing.reservation r on r.tenant_id = s.tenant_id and r.id = s.reservation_id
      join billing.price_version p on p.id = r.price_version_id
    where s.tenant_id = new.tenant_id and s.reservation_id = new.reservation_id and s.free_quantity > 0
      and a.tenant_id = new.tenant_id and a.sku = p.sku and a.month = date_trunc('month', r.created_at at time zone 'UTC')::date;
  perform billing.refuse_if(not found, 'only what a run used of the free allowance is given back');
  return null;
end $$;
create or replace trigger return_free after insert on billing.free_return for each row execute function billing.return_free();
