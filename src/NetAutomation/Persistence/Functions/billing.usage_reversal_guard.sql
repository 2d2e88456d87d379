-- A reversed usage event is taken back as a whole.
create or replace function billing.usage_reversal_guard() returns trigger language plpgsql as $$
begin
  if exists (select from billing.usage_event e where e.tenant_id = new.tenant_id and e.event_id = new.reverses
             and (e.reverses is not null or (e.run_id, e.meter, e.device_id, e.block, -e.quantity)
                  is distinct from (new.run_id, new.meter, new.device_id, new.block, new.quantity))) then
    raise exception 'a reversing event repeats the fact it reverses' using errcode = 'check_violation';
  end if;
  return new;
end $$;
create or replace trigger reversal before insert on billing.usage_event
  for each row when (new.reverses is not null) execute function billing.usage_reversal_guard();
