-- What was given back never exceeds what was charged, all in all.
create or replace function billing.adjustment_bound() returns trigger language plpgsql as $$
begin
  perform from billing.account where tenant_id = new.tenant_id for no key update;
  if new.amount_micros + (select coalesce(sum(amount_micros), 0) from billing.charge where tenant_id = new.tenant_id) < 0 then
    raise exception 'more than was charged' using errcode = 'check_violation', constraint = 'adjustment_bound';
  end if;
  return new;
end $$;
create or replace trigger bound before insert on billing.adjustment
  for each row when (new.amount_micros < 0) execute function billing.adjustment_bound();
