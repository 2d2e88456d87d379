create or replace function billing.charge_backlog() returns trigger language plpgsql as $$
begin
  insert into billing.metering_backlog values (new.tenant_id, new.payer_id, new.occurred_hour, new.id);
  return null;
end $$;
create or replace trigger backlog after insert on billing.charge
  for each row when (new.channel = 'marketplace') execute function billing.charge_backlog();
