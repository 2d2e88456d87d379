-- A record is filled in the transaction that makes it, with charges of its payer up to its hour; so its sum cannot be wrong afterwards.
-- What takes a charge back may stand beside it.
create or replace function billing.metering_allocation_guard() returns trigger language plpgsql as $$
begin
  perform billing.refuse_if(
    exists (
      select from added a
        join billing.charge c on c.tenant_id = a.tenant_id and c.id = a.charge_id
        left join billing.metering_record r on r.tenant_id = a.tenant_id and r.id = a.record_id and r.xmin = pg_current_xact_id()::xid
        left join billing.adjustment j on j.tenant_id = c.tenant_id and j.id = c.adjustment_id
        left join billing.charge o on o.tenant_id = j.tenant_id and o.id = j.reverses
      where r.id is null or c.payer_id <> r.payer_id or least(c.occurred_hour, o.occurred_hour) > r.hour),
    'a charge joins a new record of its payer, of its hour or later');
  return null;
end $$;
create or replace trigger guard after insert on billing.metering_allocation referencing new table as added
  for each statement execute function billing.metering_allocation_guard();
