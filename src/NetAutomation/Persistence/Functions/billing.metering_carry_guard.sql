create or replace function billing.metering_carry_guard() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    -- The lock holds off an answer that would otherwise race with this decision.
    perform billing.refuse_if(
      (select state from billing.metering_record
       where tenant_id = new.tenant_id and id = new.record_id for no key update) is distinct from 'parked'
        or new.into_record_id is not null
        or exists (
          select from billing.metering_attempt where tenant_id = new.tenant_id and record_id = new.record_id
            and coalesce(outcome, 'unknown') in ('unknown', 'accepted', 'duplicate')),
      'only a parked record that AWS certainly does not hold is carried');
    return new;
  end if;
  perform billing.refuse_if(
    tg_op = 'DELETE' or old.into_record_id is not null
      or not exists (
        select from billing.metering_record
        where tenant_id = new.tenant_id and id = new.into_record_id and payer_id = new.payer_id
          and xmin = pg_current_xact_id()::xid),
    'an amount is carried once, into a new record of its payer');
  return new;
end $$;
create or replace trigger guard before insert or update or delete on billing.metering_carry
  for each row execute function billing.metering_carry_guard();
