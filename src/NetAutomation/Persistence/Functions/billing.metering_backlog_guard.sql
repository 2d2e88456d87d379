create or replace function billing.metering_backlog_guard() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' and pg_trigger_depth() < 2 then perform billing.metering_refuse('the backlog is written with the charge'); end if;
  if tg_op = 'UPDATE' then perform billing.metering_refuse('the backlog is not changed'); end if;
  if tg_op = 'DELETE' then
    if not exists (select from billing.metering_allocation where tenant_id = old.tenant_id and charge_id = old.charge_id) then
      perform billing.metering_refuse('a charge leaves the backlog with its allocation');
    end if;
    return old;
  end if;
  return new;
end $$;
create or replace trigger guard before insert or update or delete on billing.metering_backlog
  for each row execute function billing.metering_backlog_guard();
