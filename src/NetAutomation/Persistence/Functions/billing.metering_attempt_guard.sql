create or replace function billing.metering_attempt_guard() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    if not exists (select from billing.metering_record where tenant_id = new.tenant_id and id = new.record_id and state = 'sealed') then
      perform billing.metering_refuse('only a sealed record is sent');
    end if;
    return new;
  end if;
  if tg_op = 'DELETE' or (old.outcome is not null and (old.outcome, new.outcome) not in (
       ('unknown', 'accepted'), ('unknown', 'absent'), ('duplicate', 'absent'), ('absent', 'accepted'))) then
    perform billing.metering_refuse('an attempt has one outcome');
  end if;
  return new;
end $$;
create or replace trigger guard before insert or update or delete on billing.metering_attempt
  for each row execute function billing.metering_attempt_guard();
