create or replace function billing.metering_carried() returns trigger language plpgsql as $$
begin
  update billing.metering_record set state = 'carried' where tenant_id = new.tenant_id and id = new.record_id;
  return null;
end $$;
create or replace trigger carried after insert on billing.metering_carry for each row execute function billing.metering_carried();
