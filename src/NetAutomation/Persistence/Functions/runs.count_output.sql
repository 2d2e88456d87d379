-- Counts what a run that ends has left, once, under the lock that its end takes anyway.
create or replace function runs.count_output(p_tenant uuid, p_run uuid, p_events bigint) returns void language plpgsql as $$
declare
  m date := date_trunc('month', now() at time zone 'UTC')::date;
  -- A result as it is stored: its text would have to be made again.
  bytes bigint := (select coalesce(sum(size), 0) from runs.artifact where tenant_id = p_tenant and run_id = p_run)
    + (select coalesce(sum(coalesce(octet_length(diff), 0) + coalesce(pg_column_size(result), 0)), 0) from runs.run_device
       where tenant_id = p_tenant and run_id = p_run);
begin
  update runs.tenant_quota set month = m,
    event_rows = p_events + case when month = m then event_rows else 0 end,
    artifact_bytes = bytes + case when month = m then artifact_bytes else 0 end
    where tenant_id = p_tenant;
end $$;
