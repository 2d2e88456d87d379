create or replace function runs.make_partitions(days int) returns void language plpgsql security definer set search_path = pg_catalog as $$
declare d date;
begin
  for d in select (now() at time zone 'UTC')::date + g from generate_series(-1, least(days, 30)) g loop
    execute format('create table if not exists runs.%I partition of runs.run_event for values from (%L) to (%L)',
                   'run_event_' || to_char(d, 'YYYYMMDD'), d, d + 1);
  end loop;
end $$;
revoke all on function runs.make_partitions(int) from public;
grant execute on function runs.make_partitions(int) to na_system;
