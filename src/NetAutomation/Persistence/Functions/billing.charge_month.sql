-- A Marketplace charge whose transaction began in a month that was issued meanwhile occurs now: its statement is read from the charges of
-- a month, and is never read again. The lock holds off an issue that would not see the charge.
create or replace function billing.charge_month() returns trigger language plpgsql as $$
begin
  if (select state from billing.invoice
      where tenant_id = new.tenant_id and kind = 'statement' and period @> (new.occurred_at at time zone 'UTC')::date
      for share) = 'issued' then
    new.occurred_at := clock_timestamp();
  end if;
  return new;
end $$;
create or replace trigger month before insert on billing.charge
  for each row when (new.channel = 'marketplace') execute function billing.charge_month();
