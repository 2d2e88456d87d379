-- The oldest day of events that is older than so many days and has no run that may still write; null where there is none.
create or replace function runs.expired_partition(p_days int) returns date language sql stable as $$
  select min(d) from (
    select to_date(right(c.relname, 8), 'YYYYMMDD') as d from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'runs.run_event'::regclass) p
  where d < (now() at time zone 'UTC')::date - p_days and not exists (select from runs.run r where r.created_day = d and not r.terminal)
$$;
