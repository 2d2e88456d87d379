-- What was sealed never changes; a record moves from sealed to accepted or parked, and from parked to accepted or carried.
create or replace function billing.metering_record_guard() returns trigger language plpgsql as $$
declare
  moving text[] := array['state', 'aws_record_id', 'error_code', 'due_at', 'reported_at', 'previous_seq', 'reported_micros'];
begin
  perform billing.refuse_if(
    tg_op = 'DELETE' or to_jsonb(new) - moving is distinct from to_jsonb(old) - moving, 'a sealed metering record never changes');
  perform billing.refuse_if(old.state in ('accepted', 'carried'), 'the metering record is closed');
  if new.state = old.state then return new; end if;
  perform billing.refuse_if(
    (old.state, new.state) not in (('sealed', 'accepted'), ('sealed', 'parked'), ('parked', 'accepted'), ('parked', 'carried')),
    format('a metering record does not go from %s to %s', old.state, new.state));
  perform billing.refuse_if(
    new.state = 'carried' and not exists (
      select from billing.metering_carry where tenant_id = new.tenant_id and record_id = new.id),
    'a record is carried by its row in metering_carry');
  perform billing.refuse_if(
    new.state <> 'carried' and not exists (
      select from billing.metering_attempt where tenant_id = new.tenant_id and record_id = new.id),
    'a record that was never sent has no answer');
  return new;
end $$;
create or replace trigger guard before update or delete on billing.metering_record
  for each row execute function billing.metering_record_guard();
