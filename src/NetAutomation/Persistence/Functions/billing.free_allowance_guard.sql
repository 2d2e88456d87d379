create or replace function billing.free_allowance_guard() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' or pg_trigger_depth() < 2 then
    raise exception 'the free allowance follows reservations and settlements' using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create or replace trigger guard before insert or update or delete on billing.free_allowance
  for each row execute function billing.free_allowance_guard();
