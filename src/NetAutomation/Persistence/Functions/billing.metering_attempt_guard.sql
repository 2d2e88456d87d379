create or replace function billing.metering_attempt_guard() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    perform billing.refuse_if(
      not exists (
        select from billing.metering_record where tenant_id = new.tenant_id and id = new.record_id and state = 'sealed'),
      'only a sealed record is sent');
    return new;
  end if;
  perform billing.refuse_if(
    tg_op = 'DELETE' or (old.outcome is not null and (old.outcome, new.outcome) not in (
      ('unknown', 'accepted'), ('unknown', 'absent'), ('duplicate', 'absent'), ('absent', 'accepted'))),
    'an attempt has one outcome');
  return new;
end $$;
create or replace trigger guard before insert or update or delete on billing.metering_attempt
  for each row execute function billing.metering_attempt_guard();
