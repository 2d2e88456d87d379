create or replace function billing.metering_backlog_guard() returns trigger language plpgsql as $$
begin
  perform billing.refuse_if(
    not exists (select from billing.metering_allocation where tenant_id = old.tenant_id and charge_id = old.charge_id),
    'a charge leaves the backlog with its allocation');
  return old;
end $$;
create or replace trigger guard before delete on billing.metering_backlog
  for each row execute function billing.metering_backlog_guard();
