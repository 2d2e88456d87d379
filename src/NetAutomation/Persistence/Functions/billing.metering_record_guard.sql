-- What was sealed never changes; a record moves from sealed to accepted or parked, and from parked to accepted or carried.
create or replace function billing.metering_record_guard() returns trigger language plpgsql as $$
declare
  moving text[] := array['state', 'aws_record_id', 'error_code', 'due_at', 'reported_at', 'previous_seq', 'reported_micros'];
begin
  if tg_op = 'DELETE' or to_jsonb(new) - moving is distinct from to_jsonb(old) - moving then
    perform billing.metering_refuse('a sealed metering record never changes');
  end if;
  if old.state in ('accepted', 'carried') then perform billing.metering_refuse('the metering record is closed'); end if;
  if new.state = old.state then return new; end if;
  if (old.state, new.state) not in (('sealed', 'accepted'), ('sealed', 'parked'), ('parked', 'accepted'), ('parked', 'carried')) then
    perform billing.metering_refuse(format('a metering record does not go from %s to %s', old.state, new.state));
  end if;
  if new.state = 'carried' then
    if not exists (select from billing.metering_carry where tenant_id = new.tenant_id and record_id = new.id) then
      perform billing.metering_refuse('a record is carried by its row in metering_carry');
    end if;
  elsif not exists (select from billing.metering_attempt where tenant_id = new.tenant_id and record_id = new.id) then
    perform billing.metering_refuse('a record that was never sent has no answer');
  end if;
  return new;
end $$;
create or replace trigger guard before update or delete on billing.metering_record
  for each row execute function billing.metering_record_guard();
