-- Retention. Runs, devices, receipts and money stay for ever; events go with their day.
create index run_open on runs.run (created_day) where not terminal;

-- Drops one day of events as a whole table, which locks all of run_event for as long as it takes; where that is not to be had within half
-- a second it is left for the next time, so that no writer waits long. False: left. Never a recent day, whoever asks.
create function runs.drop_partition(p_day date) returns boolean language plpgsql security definer set search_path = pg_catalog set lock_timeout = '500ms' as $$
begin
  if p_day > (now() at time zone 'UTC')::date - 7 then raise exception 'events of the last seven days stay' using errcode = 'restrict_violation'; end if;
  execute format('drop table if exists runs.%I', 'run_event_' || to_char(p_day, 'YYYYMMDD'));
  return true;
exception when lock_not_available then
  return false;
end $$;
revoke all on function runs.drop_partition(date) from public;
grant execute on function runs.drop_partition(date) to na_system;

-- The oldest day of events that is older than so many days and has no run that may still write; null where there is none.
create function runs.expired_partition(p_days int) returns date language sql stable as $$
  select min(d) from (
    select to_date(right(c.relname, 8), 'YYYYMMDD') as d from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'runs.run_event'::regclass) p
  where d < (now() at time zone 'UTC')::date - p_days and not exists (select from runs.run r where r.created_day = d and not r.terminal)
$$;

grant delete on scheduling.occurrence to na_system;
create index occurrence_found on scheduling.occurrence (found_at);
