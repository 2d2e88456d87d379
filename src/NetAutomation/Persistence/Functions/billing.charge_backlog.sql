-- What takes back a charge that no record holds yet counts from the hour of that charge, so that one record holds both.
create or replace function billing.charge_backlog() returns trigger language plpgsql as $$
declare due timestamptz := new.occurred_hour;
begin
  if new.adjustment_id is not null then
    select coalesce(min(b.occurred_hour), due) into due
    from billing.adjustment a
      join billing.charge c on c.tenant_id = a.tenant_id and c.id = a.reverses
      join billing.metering_backlog b
        on b.tenant_id = c.tenant_id and b.payer_id = new.payer_id and b.occurred_hour = c.occurred_hour and b.charge_id = c.id
    where a.tenant_id = new.tenant_id and a.id = new.adjustment_id;
  end if;
  insert into billing.metering_backlog values (new.tenant_id, new.payer_id, due, new.id);
  return null;
end $$;
create or replace trigger backlog after insert on billing.charge
  for each row when (new.channel = 'marketplace') execute function billing.charge_backlog();
