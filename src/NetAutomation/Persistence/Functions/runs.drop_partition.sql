-- Drops one day of events as a whole table, which locks all of run_event meanwhile. Where the lock cannot be had within half a second, it
-- is left for the next time, so that no writer waits long. False: left. A recent day is refused.
create or replace function runs.drop_partition(p_day date) returns boolean language plpgsql security definer
set search_path = pg_catalog set lock_timeout = '500ms' as $$
begin
  if p_day > (now() at time zone 'UTC')::date - 7 then
    raise exception 'events of the last seven days stay' using errcode = 'restrict_violation';
  end if;
  execute format('drop table if exists runs.%I', 'run_event_' || to_char(p_day, 'YYYYMMDD'));
  return true;
exception when lock_not_available then
  return false;
end $$;
revoke all on function runs.drop_partition(date) from public;
grant execute on function runs.drop_partition(date) to na_system;
