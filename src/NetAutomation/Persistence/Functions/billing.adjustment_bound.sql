-- What was given back never exceeds what was charged, all in all.
create or replace function billing.adjustment_bound() returns trigger language plpgsql as $$
declare given record;
begin
  for given in select tenant_id, sum(amount_micros) as micros from added where amount_micros < 0 group by tenant_id loop
    perform from billing.account where tenant_id = given.tenant_id for no key update;
    if given.micros + (select coalesce(sum(amount_micros), 0) from billing.charge where tenant_id = given.tenant_id) < 0 then
      raise exception 'more than was charged' using errcode = 'check_violation', constraint = 'adjustment_bound';
    end if;
  end loop;
  return null;
end $$;
create or replace trigger bound after insert on billing.adjustment referencing new table as added
  for each statement execute function billing.adjustment_bound();
